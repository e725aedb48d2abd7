/** Removing a shard whose queue does not become empty: waiting ends, nothing is lost unless somebody says so. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CloudflareApi } from '../../../deploy/account/api.ts';
import type { DrainOptions } from '../../../deploy/apply/drain.ts';
import { StepError } from '../../../deploy/deploy-error.ts';
import type { DeployRequest } from '../../../deploy/prepare.ts';
import { runDeploy } from '../../../deploy/run.ts';
import { FakeCloudflare } from '../../../rehearse/fake-cloudflare.ts';
import { CloudflareStub } from '../../../rehearse/server.ts';
import { hollowUploads } from '../../rehearse/hollow-uploads.ts';

const SECRETS = {
  JWT_SECRET: 'drain-jwt-secret-0123456789abcdefghijkl',
  ID_SECRET: 'drain-id-secret-0123456789abcdefghijklm',
  CALLBACK_SECRET: 'drain-callback-secret-0123456789abcdef',
  WEBHOOK_SECRET: 'drain-webhook-secret-0123456789abcdef',
};

const keys = (...numbers: number[]) =>
  Object.fromEntries(numbers.map((number) => [`KEY${number}`, `drain-key-${number}`]));

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

let stub: CloudflareStub;
let cloud: FakeCloudflare;
let said: string[];

beforeEach(async () => {
  cloud = new FakeCloudflare();
  said = [];
  stub = new CloudflareStub({ secrets: Object.values(SECRETS), requiredSecrets: {}, mayLoseMessages: true }, cloud);
  await stub.listen();
});
afterEach(() => stub.close());

function deploy(
  environment: Record<string, string>,
  drain: Partial<DrainOptions> = {},
  request: DeployRequest = {},
): ReturnType<typeof runDeploy> {
  const { baseUrl, accountId, token } = stub;
  return runDeploy({
    api: new CloudflareApi({ baseUrl, accountId, token, pausesMs: [1] }),
    request,
    environment: { ...SECRETS, ...environment },
    build: () => Promise.resolve(hollowUploads()),
    drain: { maxMs: 50, pollMs: 1, force: false, ...drain },
    say: (line) => said.push(line),
    signal: new AbortController().signal,
  });
}

/** The API keys that a consumer has. */
const keysOf = (consumer: string) =>
  [...cloud.script(consumer).secrets.keys()].filter((name) => name.startsWith('KEY')).sort();

const shards = () => [...cloud.scripts.keys()].filter((name) => name.includes('consumer')).sort();

/** Tasks in the database, by what will wake them. */
function tasks(): { readonly id: string; readonly due_at: number | null }[] {
  const [database] = cloud.databases.values();
  return database!.database.prepare('SELECT id, due_at FROM tasks ORDER BY id').all() as {
    id: string;
    due_at: number | null;
  }[];
}

function addTask(id: string, status: 'queued' | 'succeeded'): void {
  const [uuid] = cloud.databases.keys();
  cloud.runStatements(
    uuid!,
    `INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at)
     VALUES (?1, 's', 'ocr', ?2, 8, 2, 60, 9e12, CAST(?3 AS INTEGER))`,
    [id, status, status === 'succeeded' ? '1' : null],
  );
}

describe('a shard whose queue does not become empty', () => {
  beforeEach(async () => {
    await deploy(keys(...upTo(12)));
    cloud.queueNamed('tasklane-tasks-1')!.backlog = 1_000_000;
  });

  it('stays when the time is over, and works', async () => {
    await expect(deploy(keys(...upTo(8)))).rejects.toThrow(StepError);
    await expect(deploy(keys(...upTo(8)))).rejects.toThrow(/still about \d+ messages after 1 minute /);
    expect(shards()).toEqual(['tasklane-consumer-0', 'tasklane-consumer-1']);
    expect(cloud.queueNamed('tasklane-tasks-1')?.consumers.size).toBe(1);
    expect(cloud.sendersTo('tasklane-tasks-1')).toEqual([]);
  });

  it('is taken back into use when keys need it again', async () => {
    await expect(deploy(keys(...upTo(8)))).rejects.toThrow(/still about/);
    await deploy(keys(...upTo(10)));
    const { metadata } = cloud.script('tasklane-consumer-1');
    expect(metadata.bindings.map(({ name }) => name)).not.toContain('DRAINING');
    expect(keysOf('tasklane-consumer-1')).toEqual(['KEY10', 'KEY9']);
    expect(cloud.sendersTo('tasklane-tasks-1').map(({ name }) => name)).toContain('tasklane-producer');
  });

  it('goes with --force: open tasks go on from their rows, and it is said what is lost', async () => {
    addTask('tsk_1', 'queued');
    addTask('tsk_2', 'succeeded');
    await deploy(keys(...upTo(8)), { force: true });
    expect(shards()).toEqual(['tasklane-consumer-0']);
    expect(cloud.queueNamed('tasklane-tasks-1')).toBeUndefined();
    expect(tasks()).toEqual([
      { id: 'tsk_1', due_at: expect.any(Number) },
      { id: 'tsk_2', due_at: null },
    ]);
    expect(said.join('\n')).toMatch(/goes with about 999\d\d\d messages in it.*1 open tasks go on from their rows/);
  });
});

describe('keys in the account', () => {
  it('stay where they are when others come and go', async () => {
    await deploy(keys(...upTo(12)));
    await deploy(keys(2, 9, 10, 11, 12, 30));
    expect(keysOf('tasklane-consumer-0')).toEqual(['KEY2', 'KEY30']);
    expect(keysOf('tasklane-consumer-1')).toEqual(['KEY10', 'KEY11', 'KEY12', 'KEY9']);
  });

  it('are packed anew when that is asked for', async () => {
    await deploy(keys(...upTo(12)));
    await deploy(keys(2, 9, 10), {}, { repack: true });
    expect(shards()).toEqual(['tasklane-consumer-0']);
    expect(keysOf('tasklane-consumer-0')).toEqual(['KEY10', 'KEY2', 'KEY9']);
  });

  it('stay when none is given, and go when that is meant', async () => {
    await deploy(keys(...upTo(9)));
    await deploy({});
    expect(shards()).toHaveLength(2);
    expect(keysOf('tasklane-consumer-0')).toHaveLength(8);
    await deploy({}, {}, { noKeys: true });
    expect(shards()).toEqual(['tasklane-consumer-0']);
    expect(keysOf('tasklane-consumer-0')).toHaveLength(0);
  });
});
