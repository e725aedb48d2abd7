import { describe, expect, it } from 'vitest';
import { type AgentConfig, agentUrlOf, mayLead, parseConfig } from '../../agent/config.ts';

const MINIMAL = {
  coordinator: 'https://tasklane.example.com/',
  url: 'https://ocr-1.example.net',
  services: [{ name: 'ocr', localUrl: 'http://127.0.0.1:9000' }],
};

function parse(file: unknown, environment: Record<string, string> = {}): AgentConfig {
  const result = parseConfig(JSON.stringify(file), environment);
  if (!result.ok) throw new Error(result.problems.join('\n'));
  return result.config;
}

function problems(file: unknown): readonly string[] {
  const result = parseConfig(typeof file === 'string' ? file : JSON.stringify(file), {});
  return result.ok ? [] : result.problems;
}

describe('the configuration', () => {
  it('needs an address, a coordinator and one service; the rest has defaults', () => {
    expect(parse(MINIMAL)).toMatchObject({
      coordinator: 'https://tasklane.example.com',
      tokenEnv: 'TASKLANE_TOKEN',
      services: [{ name: 'ocr', path: '/', healthPath: '/health' }],
      cluster: 'default',
      maxConcurrency: 16,
      detectSeconds: 5,
    });
  });

  it('takes addresses from the environment first, so that one file serves many machines', () => {
    const { coordinator: _, ...file } = MINIMAL;
    const environment = {
      TASKLANE_COORDINATOR: 'https://other.example.com',
      TASKLANE_SERVER_URL: 'https://two.example.net',
    };
    expect(parse(file, environment)).toMatchObject({
      coordinator: 'https://other.example.com',
      url: 'https://two.example.net',
    });
  });

  it('allows an unencrypted coordinator on a private network only', () => {
    expect(problems({ ...MINIMAL, coordinator: 'http://localhost:8787' })).toEqual([]);
    expect(problems({ ...MINIMAL, coordinator: 'http://10.0.0.1:8787' })).toEqual([]);
    expect(problems({ ...MINIMAL, coordinator: 'http://tasklane.example.com' })).toEqual([
      expect.stringContaining('coordinator: would carry the token unencrypted'),
    ]);
  });

  it.each([
    ['not JSON', '{', 'it is not JSON'],
    ['a missing address', { ...MINIMAL, url: undefined }, 'url: is missing. Give where Tasklane calls this machine'],
    [
      'a service without an address',
      { ...MINIMAL, services: [{ name: 'ocr' }] },
      'services[0].localUrl: is missing. Give',
    ],
    ['no service', { ...MINIMAL, services: [] }, 'services: names no service. Give'],
    [
      'a service twice',
      { ...MINIMAL, services: [...MINIMAL.services, ...MINIMAL.services] },
      'services: names a service twice',
    ],
    ['a misspelt field', { ...MINIMAL, weigth: 2 }, 'weigth: is not a field of the configuration'],
    [
      'a version from nowhere',
      { ...MINIMAL, services: [{ ...MINIMAL.services[0], version: {} }] },
      '{ "json": "version" }',
    ],
    ['a token for a name', { ...MINIMAL, tokenEnv: 'eyJhbGciOi' }, 'never the token itself'],
    ['a weight of nothing', { ...MINIMAL, weight: 0 }, 'weight: too small'],
  ])('says of %s which field, why and what to do', (_what, file, expected) => {
    expect(problems(file).join('\n')).toContain(expected);
  });

  it('never repeats a value that might be the token', () => {
    expect(problems({ ...MINIMAL, tokenEnv: 'eyJhbGciOi' }).join('\n')).not.toContain('eyJhbGciOi');
  });
});

describe('the address for the leader', () => {
  it('is the host of the public address and the port, unless said otherwise', () => {
    expect(agentUrlOf(parse(MINIMAL), 7070)).toBeUndefined();
    expect(agentUrlOf(parse({ ...MINIMAL, listen: { port: 7070 } }), 7070)).toBe('http://ocr-1.example.net:7070');
    const listen = { port: 7070, url: 'http://10.0.0.5:7070/' };
    expect(agentUrlOf(parse({ ...MINIMAL, listen }), 7070)).toBe('http://10.0.0.5:7070');
  });

  it('decides whether an agent may lead, unless said otherwise', () => {
    expect(mayLead(parse(MINIMAL))).toBe(false);
    expect(mayLead(parse({ ...MINIMAL, listen: { port: 7070 } }))).toBe(true);
    expect(mayLead(parse({ ...MINIMAL, listen: { port: 7070 }, lead: false }))).toBe(false);
  });
});
