/** `--once`: what it says of services that answer, do not answer, and answer that they are something else. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentConfig, parseConfig } from '../../agent/config.ts';
import type { Coordinator } from '../../agent/coordinator.ts';
import { inspect } from '../../agent/once.ts';

const coordinator = { servers: async () => ({ kind: 'answered', value: { servers: [] } }) } as unknown as Coordinator;

let server: Server;
let url: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    response.writeHead(request.url?.endsWith('/health') === true ? 200 : 404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => server.close());

function configured(...services: object[]): AgentConfig {
  const result = parseConfig(JSON.stringify({ url, coordinator: 'http://127.0.0.1:1', services }), {});
  if (!result.ok) throw new Error(result.problems.join('; '));
  return result.config;
}

describe('a configuration', () => {
  it('works when every service answers', async () => {
    const { passed, findings } = await inspect(configured({ name: 'ocr', localUrl: url }), coordinator);
    expect(passed).toBe(true);
    expect(findings.map(({ severity }) => severity)).not.toContain('problem');
  });

  it('does not work when one of its services answers that it is not there', async () => {
    const broken = { name: 'llm', localUrl: url, healthPath: '/nothing-here' };
    const { passed, findings } = await inspect(configured({ name: 'ocr', localUrl: url }, broken), coordinator);
    expect(passed).toBe(false);
    expect(findings).toContainEqual(
      expect.objectContaining({ subject: 'llm', severity: 'problem', text: expect.stringContaining('404') }),
    );
  });

  it('may work when a service is not there yet', async () => {
    const away = { name: 'llm', localUrl: 'http://127.0.0.1:9' };
    const { passed, findings } = await inspect(configured({ name: 'ocr', localUrl: url }, away), coordinator);
    expect(passed).toBe(true);
    expect(findings).toContainEqual(expect.objectContaining({ subject: 'llm', severity: 'warning' }));
  });
});
