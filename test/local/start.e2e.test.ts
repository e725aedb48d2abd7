/** `npm start` as a person meets it: what it prints, how it ends, and what it leaves behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../local/port.ts';
import { ROLES } from '../../shared/auth/role.ts';

const SECRETS = {
  JWT_SECRET: 'jwt-secret-of-the-tests-32-bytes-or-more',
  ID_SECRET: 'id-secret-of-the-tests-32-bytes-or-more',
  CALLBACK_SECRET: 'callback-secret-of-the-tests-32-bytes-or-more',
  WEBHOOK_SECRET: 'webhook-secret-of-the-tests-32-bytes-or-more',
};

let dir: string;
let port: number;
let started: ChildProcess[];

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'tasklane-start-'));
  port = await freePort(0);
  started = [];
});
afterEach(async () => {
  for (const child of started) child.kill('SIGKILL');
  await rm(dir, { recursive: true, force: true });
});

interface Program {
  readonly child: ChildProcess;
  output(): string;
  errors(): string;
  /** Resolves when the output says `text`, fails when the program ends before. */
  says(text: string): Promise<void>;
  /** The exit code. */
  ended: Promise<number | null>;
}

function start(args: readonly string[] = [], env: Record<string, string> = {}, main = 'local/start.ts'): Program {
  const argv = ['--import', './terminal/node-guard.mjs', main, '--dir', dir, ...args];
  const child = spawn(process.execPath, argv, {
    env: { ...process.env, ...SECRETS, PORT: String(port), NO_COLOR: '1', npm_lifecycle_event: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (errors += chunk));
  const ended = once(child, 'exit').then(([code]) => code as number | null);
  return {
    child,
    output: () => output,
    errors: () => errors,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => output.includes(text) && resolve();
        child.stdout.on('data', look);
        look();
        void ended.then(() => reject(new Error(`ended without saying ${text}:\n${output}${errors}`)));
      }),
    ended,
  };
}

async function readLocalFile(): Promise<{ url: string; dashboardUrl: string; tokens: Record<string, string> }> {
  return JSON.parse(await readFile(path.join(dir, 'local.json'), 'utf8'));
}

async function call<Body>(target: string, body?: unknown): Promise<Body> {
  const { url, tokens } = await readLocalFile();
  const response = await fetch(url + target, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { authorization: `Bearer ${tokens.client}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return (await response.json()) as Body;
}

/** What was killed may take a moment to let go, on a busy machine a longer one. */
async function nobodyListens(address: string): Promise<boolean> {
  for (let look = 0; look < 600; look++) {
    try {
      await fetch(address, { signal: AbortSignal.timeout(1000) });
    } catch {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

function backendUrl(output: string): string {
  return /an example backend on (\S+)/.exec(output)?.[1] ?? '';
}

describe('npm start', () => {
  it('shows tasks of every kind finish, says where things are, and Ctrl-C stops every child', async () => {
    const program = start();
    await program.says('Ctrl-C stops it all.');
    const lines = program.output().split('\n');
    const ends = Object.fromEntries(
      lines.flatMap((line) => {
        const [, service, status] = /\d s +(\w+) +. (succeeded|failed) /.exec(line) ?? [];
        return service === undefined ? [] : [[service, status]];
      }),
    );
    expect(ends).toEqual({
      quick: 'succeeded',
      slow: 'succeeded',
      flaky: 'succeeded',
      busy: 'succeeded',
      broken: 'failed',
      async: 'succeeded',
      llm: 'succeeded',
      echo: 'succeeded',
    });
    expect(program.output()).toMatch(/flaky +. succeeded +3 of 5/);
    expect(program.output()).toMatch(/busy +. succeeded +1 of 5/);
    expect(program.errors()).toBe('');

    const { url, tokens } = await readLocalFile();
    expect(url).toBe(`http://localhost:${port}`);
    expect(Object.keys(tokens).sort()).toEqual([...ROLES].sort());
    expect((await stat(path.join(dir, 'local.json'))).mode & 0o777).toBe(0o600);
    const output = program.output() + (await readFile(path.join(dir, 'logs', 'local.log'), 'utf8'));
    for (const secret of Object.values(SECRETS)) expect(output).not.toContain(secret);
    for (const entry of await readdir(dir, { recursive: true })) {
      expect((await stat(path.join(dir, entry))).mode & 0o077, entry).toBe(0);
    }

    const doctor = start(['--json'], {}, 'deploy/doctor.ts');
    expect(await doctor.ended).toBe(1);
    const { findings } = JSON.parse(doctor.output()) as { findings: { item: string; state: string }[] };
    expect(findings.filter(({ state }) => state === 'missing').map(({ item }) => item)).toEqual([
      'address',
      'secrets-strong',
      'https',
      'private-targets',
      'backends-https',
      'limits',
      'alerts',
      'backup',
      'restore',
      'rollback',
    ]);
    expect(findings.filter(({ state }) => state === 'unknown')).toEqual([]);
    for (const secret of Object.values(SECRETS)) expect(doctor.output()).not.toContain(secret);

    program.child.kill('SIGINT');
    expect(await program.ended).toBe(0);
    expect(await nobodyListens(url)).toBe(true);
    expect(await nobodyListens(backendUrl(program.output()))).toBe(true);
  });

  it('without the demo has no services but those of its configuration', async () => {
    const program = start(['--no-demo']);
    await program.says('Ctrl-C stops it all.');
    expect(program.output()).not.toContain('example');
    expect(await call('/api/services')).toEqual({ services: [] });
    program.child.kill('SIGTERM');
    expect(await program.ended).toBe(0);
  });

  it('leaves nothing behind when it is killed, and finishes the accepted tasks with the next start', async () => {
    const first = start();
    await first.says('Ctrl-C stops it all.');
    const submit = (service: string, path: string) => call<{ id: string }>('/api/task', { service, path, payload: {} });
    const accepted = await Promise.all([
      submit('slow', '/slow?ms=3000'),
      submit('flaky', '/flaky'),
      submit('quick', '/quick'),
    ]);
    first.child.kill('SIGKILL');
    await first.ended;
    expect(await nobodyListens(`http://127.0.0.1:${port}`)).toBe(true);
    expect(await nobodyListens(backendUrl(first.output()))).toBe(true);

    const second = start();
    await second.says('Ctrl-C stops it all.');
    // The folder has had its demo.
    expect(second.output()).not.toContain('SERVICE');
    expect(second.output()).toContain('unfinished tasks of the last run go on');
    for (const { id } of accepted) {
      expect(await call(`/api/task/${id}?wait=30`)).toMatchObject({ status: 'succeeded' });
    }
    second.child.kill('SIGTERM');
    expect(await second.ended).toBe(0);
  });
});

describe('npm start that cannot', () => {
  it('says in one line that the port is in use', async () => {
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    const program = start();
    expect(await program.ended).toBe(1);
    expect(program.errors()).toBe(`tasklane: port ${port} is in use; choose another with PORT=<number>\n`);
    other.close();
  });

  it('says in one line that a secret is too short', async () => {
    const program = start([], { JWT_SECRET: 'short' });
    expect(await program.ended).toBe(1);
    expect(program.errors()).toBe('tasklane: JWT_SECRET is too short; use at least 32 bytes\n');
  });

  it.each([
    [['--shards', '0'], /^tasklane: --shards is a whole number from 1 to 64, not "0"\n$/],
    [['--no-such-flag'], /^tasklane: there is no option --no-such-flag/],
  ])('says in one line what is wrong with %j', async (args, message) => {
    const program = start(args);
    expect(await program.ended).toBe(1);
    expect(program.errors()).toMatch(message);
  });
});

describe('npm run dev', () => {
  it('starts again at a change, with the same tokens and what was accepted, and Ctrl-C leaves nothing', async () => {
    const program = start([], {}, 'local/dev.ts');
    await program.says('Waits for changes');
    const before = await readLocalFile();
    const now = new Date();
    await utimes('wrangler.toml', now, now);
    await program.says('✓ wrangler.toml');
    expect(await call('/api/tasks')).toMatchObject({ tasks: [] });
    expect((await readLocalFile()).tokens).toEqual(before.tokens);
    await utimes('producer/schema/audit.ts', now, now);
    await program.says('✓ producer/schema/audit.ts');

    program.child.kill('SIGINT');
    expect(await program.ended).toBe(0);
    expect(await nobodyListens(before.url)).toBe(true);
  });
});
