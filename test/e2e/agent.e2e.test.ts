/** `tasklane-agent` as a person meets it: what it prints, and how it ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_CONDUCT } from '../../examples/server/conduct.ts';
import { type ExampleServer, startServer } from '../../examples/server/server.ts';
import { signToken } from '../../shared/auth/token.ts';
import { Client, type Pipeline, SECRETS, startPipeline } from './pipeline.ts';

const BIN = path.resolve(import.meta.dirname, '../../agent/bin.mjs');

let pipeline: Pipeline;
let server: ExampleServer;
let dir: string;
let token: string;

beforeAll(async () => {
  pipeline = await startPipeline();
  server = await startServer({ name: 'one', port: 0, conduct: DEFAULT_CONDUCT, lingerMs: 0 });
  dir = await mkdtemp(path.join(tmpdir(), 'tasklane-agent-'));
  token = await signToken({ sub: 'team', role: 'server' }, SECRETS.JWT_SECRET, 3600);
});
afterAll(async () => {
  await server?.finish();
  await pipeline?.[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

async function configure(more: Record<string, unknown> = {}): Promise<string> {
  const file = path.join(dir, `${crypto.randomUUID()}.json`);
  const services = [{ name: 'ocr', localUrl: server.url, version: { json: 'version' } }];
  await writeFile(file, JSON.stringify({ coordinator: pipeline.run.url, url: server.url, services, ...more }));
  return file;
}

function start(args: readonly string[], { env = {}, flags = [] as string[] } = {}) {
  const child = spawn(process.execPath, [...flags, BIN, ...args], {
    env: { ...process.env, TASKLANE_TOKEN: token, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (errors += chunk));
  const ended = once(child, 'close').then(([code]): Ended => ({ code: code as number | null, output, errors }));
  return { child, ended, output: () => output };
}

describe('tasklane-agent --once', () => {
  it('says what would be registered, checks the token, and registers nothing', async () => {
    const { code, output } = await start(['--config', await configure(), '--once']).ended;
    expect(output).toContain('answers, version 1.0.0');
    expect(output).toContain('takes the token');
    expect(output).toContain('This works.');
    expect(code).toBe(0);
    const admin = await Client.as(pipeline.run.url, 'root', 'admin');
    expect((await admin.call('GET', '/api/servers')).body).toEqual({ servers: [] });
  });

  it('runs on a Node that reads no TypeScript, and speaks JSON', async () => {
    const args = ['--config', await configure(), '--once', '--json'];
    const { code, output } = await start(args, { flags: ['--no-experimental-strip-types'] }).ended;
    const lines = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.at(-1)).toMatchObject({ check: 'registration', passed: true, registration: { url: server.url } });
    expect(code).toBe(0);
  });

  it.each([
    ['a client for a token', { TASKLANE_TOKEN: 'client' }, {}, 'It needs the role server'],
    ['a token that is none', { TASKLANE_TOKEN: 'none' }, {}, 'Put a fresh one'],
    ['nobody at the coordinator’s address', {}, { coordinator: 'http://127.0.0.1:50999' }, 'ECONNREFUSED'],
    [
      'no service that answers',
      {},
      { services: [{ name: 'ocr', localUrl: 'http://127.0.0.1:1' }] },
      'does not work yet',
    ],
  ])('fails with %s', async (_what, env: { TASKLANE_TOKEN?: string }, more, expected) => {
    if (env.TASKLANE_TOKEN === 'client') {
      env.TASKLANE_TOKEN = await signToken({ sub: 'alice', role: 'client' }, SECRETS.JWT_SECRET, 60);
    }
    const { code, output } = await start(['--config', await configure(more), '--once'], { env }).ended;
    expect(output).toContain(expected);
    expect(output).not.toContain(env.TASKLANE_TOKEN ?? token);
    expect(code).toBe(1);
  });

  it.each([
    ['a field that is wrong', { weight: -1 }, {}, 'weight: too small'],
    ['no token', {}, { TASKLANE_TOKEN: '' }, 'TASKLANE_TOKEN holds no token'],
  ])('fails at once with %s', async (_what, more, env, expected) => {
    const { code, errors } = await start(['--config', await configure(more), '--once'], { env }).ended;
    expect(errors).toContain(expected);
    expect(code).toBe(2);
  });

  it('fails at once without its file, and with an unknown option', async () => {
    const missing = await start(['--config', 'nothing.json']).ended;
    expect(missing).toMatchObject({ code: 2, errors: expect.stringContaining('nothing.json is not there') });
    const unknown = await start(['--token', 'secret']).ended;
    expect(unknown).toMatchObject({ code: 2, errors: expect.stringContaining('See tasklane-agent --help') });
  });
});

describe('tasklane-agent', () => {
  it('registers, tells one line per event, and deregisters at the first signal', async () => {
    const agent = start(['--config', await configure()]);
    while (!agent.output().includes('registered as')) await new Promise((resolve) => setTimeout(resolve, 50));
    const mine = await new Client(pipeline.run.url, token).call<{ servers: unknown[] }>('GET', '/api/servers');
    expect(mine.body.servers).toMatchObject([{ url: server.url, owner: 'team', state: 'healthy' }]);
    agent.child.kill('SIGTERM');
    const { code, output, errors } = await agent.ended;
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    const lines = output
      .trim()
      .split('\n')
      .map((line) => line.slice(11));
    expect(lines).toEqual([
      expect.stringContaining('agent of'),
      'ocr 1.0.0 answers',
      expect.stringMatching(/^registered as srv_\w+ with ocr$/),
      expect.stringContaining('stops: takes no more work'),
      'running work has finished',
      'deregistered',
      'stopped',
    ]);
    const after = await new Client(pipeline.run.url, token).call<{ servers: unknown[] }>('GET', '/api/servers');
    expect(after.body.servers).toEqual([]);
  });

  it('ends with a reason when somebody else registered its address', async () => {
    const other = await Client.as(pipeline.run.url, 'other-team', 'server');
    await other.call('POST', '/api/servers', { url: server.url, services: [{ name: 'ocr' }] });
    const { code, errors } = await start(['--config', await configure()]).ended;
    expect(errors).toContain('registered by another subject');
    expect(code).toBe(1);
  });
});
