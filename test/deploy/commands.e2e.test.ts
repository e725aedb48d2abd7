/** `npm run deploy` and `npm run destroy` as a person or a workflow runs them: real processes against the stub. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { FakeCloudflare } from '../../rehearse/fake-cloudflare.ts';
import { CloudflareStub } from '../../rehearse/server.ts';
import { snapshotOf } from '../../rehearse/snapshot.ts';

const SECRETS = {
  JWT_SECRET: 'commands-jwt-secret-0123456789abcdefghij',
  ID_SECRET: 'commands-id-secret-0123456789abcdefghij',
  CALLBACK_SECRET: 'commands-callback-secret-0123456789abcdef',
  WEBHOOK_SECRET: 'commands-webhook-secret-0123456789abcdef',
};

const keys = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`KEY${index + 1}`, `commands-key-value-${index + 1}`]),
  );

const VALUES = [...Object.values(SECRETS), ...Object.values(keys(12))];

const REQUIRED = {
  producer: ['JWT_SECRET', 'ID_SECRET', 'WEBHOOK_SECRET'],
  callback: ['CALLBACK_SECRET'],
  consumer: ['WEBHOOK_SECRET'],
};

let stub: CloudflareStub;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'tasklane-commands-'));
  stub = new CloudflareStub({ secrets: VALUES, requiredSecrets: REQUIRED }, new FakeCloudflare());
  await stub.listen();
});
beforeEach(() => {
  stub.startRun();
});
afterAll(async () => {
  await stub.close();
  await rm(dir, { recursive: true, force: true });
});

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(program: 'deploy' | 'destroy', args: readonly string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--import', './terminal/node-guard.mjs', `deploy/${program}.ts`, ...args], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NO_COLOR: '1',
      CLOUDFLARE_API_BASE_URL: stub.baseUrl,
      CLOUDFLARE_ACCOUNT_ID: stub.accountId,
      CLOUDFLARE_API_TOKEN: stub.token,
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (texts.stdout += chunk));
  child.stderr.on('data', (chunk) => (texts.stderr += chunk));
  const ended = once(child, 'close').then(([status]): Ended => {
    for (const value of [...VALUES, stub.token]) expect(texts.stdout + texts.stderr).not.toContain(value);
    return { status: status as number | null, ...texts };
  });
  return { child, ended, says: (text: string) => says(child, texts, text) };
}

async function says(child: ChildProcess, texts: { readonly stderr: string }, text: string): Promise<void> {
  while (!texts.stderr.includes(text)) {
    if (child.exitCode !== null) throw new Error(`it ended without saying ${text}: ${texts.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

it('what is missing is said in one line with the fix, and nothing is changed', async () => {
  const { status, stderr } = await start('deploy', []).ended;
  expect(stderr).toContain('WEBHOOK_SECRET, JWT_SECRET, ID_SECRET are needed, not given, and not in the account');
  expect(stderr).not.toContain('stands');
  expect(status).toBe(1);
  expect(stub.calls.some(({ changes }) => changes)).toBe(false);
});

it('what a person reads is no wider than 80 columns: help, and a plan with 20 keys', async () => {
  const nowhere = { CLOUDFLARE_ACCOUNT_ID: '', CLOUDFLARE_API_TOKEN: '', ...keys(20) };
  const [help, removal, plan] = await Promise.all([
    start('deploy', ['--help']).ended,
    start('destroy', ['--help']).ended,
    start('deploy', ['--plan', '--load', '200/s'], nowhere).ended,
  ]);
  for (const { stdout } of [help, removal, plan]) {
    expect(stdout.length).toBeGreaterThan(300);
    for (const line of stdout.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80);
  }
  expect(plan.stdout).toMatch(/^3 shards$/m);
  expect(plan.stdout).toMatch(/^ {2}\+ migrate {9}tasklane\n {6}\d+ migrations, up to \d{4}_\w+\.sql$/m);
});

it('a deploy that is killed in the middle is finished by the next, with the plan in between telling the rest', async () => {
  const environment = { TASKLANE_SECRETS: JSON.stringify({ ...SECRETS, ...keys(12), github_token: 'not ours' }) };
  const first = start('deploy', [], environment);
  await first.says('upload tasklane-consumer-1');
  first.child.kill('SIGKILL');
  await first.ended;
  expect(stub.cloud.scripts.has('tasklane-producer')).toBe(false);

  const planned = JSON.parse((await start('deploy', ['--plan', '--json', '--load', '10/s'], environment).ended).stdout);
  expect(planned).toMatchObject({ name: 'tasklane', url: 'https://tasklane-producer.rehearsal.workers.dev' });
  expect(planned.shards.map((shard: { keys: unknown[] }) => shard.keys.length)).toEqual([8, 4]);
  const targets = planned.steps.map((step: { do: string; target: string }) => `${step.do} ${step.target}`);
  expect(targets).toContain('upload tasklane-producer');
  expect(targets).not.toContain('upload tasklane-callback');
  expect(planned.estimate.dollarsAMonth).toBeGreaterThan(50);

  const second = await start('deploy', ['--github-output', path.join(dir, 'output')], environment).ended;
  expect(second).toMatchObject({ status: 0, stdout: 'https://tasklane-producer.rehearsal.workers.dev\n' });
  expect(await readFile(path.join(dir, 'output'), 'utf8')).toBe(`url=${second.stdout}`);
  expect(stub.cloud.script('tasklane-consumer-1').secrets.size).toBe(5);
});

it('an interrupted drain leaves a system that works, and says how to go on', async () => {
  // A message that comes back and back: the queue does not become empty by itself.
  const queue = stub.cloud.queueNamed('tasklane-tasks-1')!;
  queue.backlog = 1_000_000;
  const first = start('deploy', [], { ...keys(8) });
  await first.says('tasklane-tasks-1: ');
  first.child.kill('SIGINT');
  const { status, stderr } = await first.ended;
  expect(status).toBe(130);
  expect(stderr).toContain('deploy: stopped');
  expect(stderr).toContain('Run the same command again');
  expect(stub.cloud.script('tasklane-consumer-1').metadata.bindings).toContainEqual(
    expect.objectContaining({ name: 'DRAINING', text: 'true' }),
  );
  expect(stub.cloud.queueNamed('tasklane-tasks-1')?.consumers.size).toBe(1);
});

it('a preview comes with secrets of its own making, and goes without a question', async () => {
  const file = path.join('.wrangler', 'secrets', 'tasklane-test-9.env');
  const deployed = await start('deploy', ['--preview', 'test-9', '--generate-secrets', '--json'], keys(12)).ended;
  expect(JSON.parse(deployed.stdout)).toEqual({
    name: 'tasklane-test-9',
    url: 'https://tasklane-test-9-producer.rehearsal.workers.dev',
    shards: 1,
  });
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const made = await readFile(file, 'utf8');
  await rm(file);
  const [, value = ''] = /^JWT_SECRET=(.+)$/m.exec(made) ?? [];
  expect(value.length).toBeGreaterThanOrEqual(64);
  expect(deployed.stderr + deployed.stdout).not.toContain(value);
  expect(stub.cloud.script('tasklane-test-9-consumer-0').secrets.size).toBe(13);

  const removed = await start('destroy', ['--preview', 'test-9']).ended;
  expect(removed.status).toBe(0);
  expect([...stub.cloud.scripts.keys()].filter((name) => name.includes('test-9'))).toEqual([]);
  expect(stub.cloud.scripts.has('tasklane-producer')).toBe(true);
});

it('everything is removed for the right name only', async () => {
  stub.cloud.queueNamed('tasklane-tasks-1')!.backlog = 0;
  const asked = await start('destroy', []).ended;
  expect(asked.stderr).toContain('add --confirm tasklane');
  expect(asked.stderr).toContain('4 Workers, 3 queues with about 0 messages, 1 databases with 0 tasks');
  const wrong = await start('destroy', ['--confirm', 'something-else']).ended;
  expect([asked.status, wrong.status]).toEqual([1, 1]);
  expect(stub.cloud.scripts.size).toBe(4);

  stub.cloud.filledBuckets.add('tasklane-bodies');
  const filled = await start('destroy', ['--confirm', 'tasklane']).ended;
  expect(filled.status).toBe(1);
  expect(filled.stderr).toContain('tasklane-bodies holds bodies of tasks');
  expect(snapshotOf(stub.cloud)).toMatchObject({ scripts: [], queues: [], databases: [] });
  stub.cloud.filledBuckets.clear();

  const right = await start('destroy', ['--confirm', 'tasklane']).ended;
  expect(right.status).toBe(0);
  expect(snapshotOf(stub.cloud)).toEqual({ scripts: [], queues: [], databases: [], buckets: [] });
});

it('nothing that was done to the account was wrong at any moment', () => {
  expect(stub.violations).toEqual([]);
});
