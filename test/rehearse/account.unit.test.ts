/** Deploys to accounts as they are: rolled back, busy, of many shards, on the free plan. Each by the calls that it makes. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CloudflareApi } from '../../deploy/account/api.ts';
import type { Clock } from '../../deploy/account/pace.ts';
import { readAccount } from '../../deploy/account/read-account.ts';
import { type Step, targetOf } from '../../deploy/diff/step.ts';
import type { SecretValues } from '../../deploy/inputs/secret-values.ts';
import { inputsFor } from '../../deploy/prepare.ts';
import { type RunContext, runDeploy } from '../../deploy/run.ts';
import { FREE } from '../../rehearse/account-limits.ts';
import { FakeCloudflare } from '../../rehearse/fake-cloudflare.ts';
import { CloudflareStub, type StubOptions } from '../../rehearse/server.ts';
import { hollowUploads } from './hollow-uploads.ts';

const SECRETS = {
  JWT_SECRET: 'account-jwt-secret-0123456789abcdefghij',
  ID_SECRET: 'account-id-secret-0123456789abcdefghijk',
  CALLBACK_SECRET: 'account-callback-secret-0123456789abcd',
  WEBHOOK_SECRET: 'account-webhook-secret-0123456789abcd',
};

const keys = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`KEY${index + 1}`, `account-key-${index + 1}`]));

let cloud: FakeCloudflare;
let stub: CloudflareStub;
let said: string[];
let now: number;

/** Time that passes only where somebody waits. */
const clock: Clock = {
  now: () => now,
  sleep: (ms) => {
    now += ms;
    return Promise.resolve();
  },
};

async function open(options: Partial<StubOptions> = {}): Promise<void> {
  stub = new CloudflareStub({ secrets: Object.values(SECRETS), requiredSecrets: {}, ...options }, cloud);
  await stub.listen();
}

function api(): CloudflareApi {
  const { baseUrl, accountId, token } = stub;
  return new CloudflareApi({ baseUrl, accountId, token, clock, onPause: (line) => said.push(line) });
}

function deploy(
  environment: Record<string, string | undefined> = {},
  { request = {}, ...more }: Partial<Pick<RunContext, 'request' | 'generate' | 'known'>> = {},
): ReturnType<typeof runDeploy> {
  stub.startRun();
  return runDeploy({
    api: api(),
    request,
    ...more,
    environment: { ...SECRETS, ...environment },
    build: () => Promise.resolve(hollowUploads()),
    drain: { maxMs: 50, pollMs: 1, force: false },
    say: (line) => said.push(line),
    signal: new AbortController().signal,
  });
}

beforeEach(() => {
  cloud = new FakeCloudflare();
  said = [];
  now = 0;
});
afterEach(() => stub.close());

describe('after a rollback', () => {
  it('the same commit is deployed again, secrets with it, in one version', async () => {
    await open();
    await deploy(keys(8));
    const producer = cloud.script('tasklane-producer');
    // Something newer that was taken back.
    producer.add({
      ...producer.newest,
      metadata: { ...producer.metadata, annotations: { 'workers/tag': 'tasklane-other' } },
    });
    producer.rollBack();
    const before = producer.versions.length;
    const { steps } = await deploy({ ...keys(8), JWT_SECRET: 'account-jwt-secret-rotated-0123456789' });
    expect(uploadIn(steps)?.why).toMatch(/^runs, but is not the newest version/);
    expect(producer.versions.length).toBe(before + 1);
    expect(producer.live).toBe(producer.newest);
    expect(producer.secrets.get('JWT_SECRET')).toBe('account-jwt-secret-rotated-0123456789');
    expect(said).toContainEqual(expect.stringMatching(/upload tasklane-producer$/));
    expect(stub.violations).toEqual([]);
  });

  it('the older version that serves is said to be what runs, although the newest is this commit', async () => {
    await open();
    await deploy(keys(8));
    const producer = cloud.script('tasklane-producer');
    const mine = producer.newest;
    producer.add({ ...mine, metadata: { ...mine.metadata, annotations: { 'workers/tag': 'tasklane-other' } } });
    producer.add(mine);
    producer.rollBack();
    const { steps } = await deploy(keys(8));
    expect(uploadIn(steps)?.why).toBe('was rolled back');
    expect(producer.live).toBe(producer.newest);
    expect(producer.live.metadata.annotations).toEqual(mine.metadata.annotations);
  });
});

describe('a deploy that adds a shard without WEBHOOK_SECRET in its environment', () => {
  const grown = { ...keys(20), WEBHOOK_SECRET: undefined };

  it('is refused before anything is changed, and makes no other in its place', async () => {
    await open();
    await deploy(keys(8));
    const generate = (): SecretValues => {
      throw new Error('nothing is to be made');
    };
    const refusal = /^WEBHOOK_SECRET: tasklane-consumer-1, tasklane-consumer-2 need it, and .* has it/;
    await expect(deploy(grown)).rejects.toThrow(refusal);
    await expect(deploy(grown, { generate })).rejects.toThrow(refusal);
    expect(stub.calls.filter(({ changes }) => changes)).toEqual([]);
  });
});

describe('a deploy that is looked at afterwards', () => {
  it('is refused before anything is changed when the secret that signs tokens is not told', async () => {
    await open();
    await deploy(keys(8));
    const known = ['JWT_SECRET'];
    await expect(deploy({ ...keys(8), JWT_SECRET: undefined }, { known })).rejects.toThrow(
      /^JWT_SECRET must be in the/,
    );
    expect(stub.calls.filter(({ changes }) => changes)).toEqual([]);
    await deploy(keys(8), { known });
  });
});

describe('keys that are packed anew', () => {
  it('are refused when they would move without their values, and move with them', async () => {
    await open();
    await deploy(keys(20));
    const left = Object.fromEntries(Object.entries(keys(20)).filter(([name]) => !/^KEY[1-8]$/.test(name)));
    await deploy(left);
    await expect(deploy({}, { request: { repack: true } })).rejects.toThrow(/^KEY9, .* would move to another shard/);
    expect(stub.calls.filter(({ changes }) => changes)).toEqual([]);
    await deploy(left, { request: { repack: true } });
    expect(cloud.script('tasklane-consumer-0').secrets.get('KEY9')).toBe('account-key-9');
    expect(stub.violations).toEqual([]);
  });
});

describe('a token that may do too little', () => {
  it('is told which permission it needs, and R2 that was never opened is told apart from it', async () => {
    await open();
    cloud.forbidden = ['/r2/'];
    await expect(deploy(keys(1))).rejects.toThrow(/needs Workers R2 Storage: Edit/);
    cloud.forbidden = [];
    cloud.lacksR2 = true;
    await expect(deploy(keys(1))).rejects.toThrow(/^R2: 403 is not enabled in this account; open R2 in the dashboard/);
    expect(cloud.scripts.size).toBe(0);
  });
});

describe('the free plan', () => {
  it('has stores that know how little they hold', async () => {
    cloud.limits = FREE;
    await open();
    await deploy(keys(1), { request: { free: true } });
    const limitOf = (name: string) =>
      cloud.script(name).metadata.bindings.find((one) => one.name === 'STORE_LIMIT_BYTES');
    expect(limitOf('tasklane-producer')).toMatchObject({ text: '500000000' });
    expect(limitOf('tasklane-callback')).toMatchObject({ text: '500000000' });
  });
});

describe('logs that somebody turned off', () => {
  it('are on again, without a new version of the Worker', async () => {
    await open();
    await deploy(keys(8));
    const consumer = cloud.script('tasklane-consumer-0');
    cloud.setSettings(consumer.name, { observability: { enabled: false } });
    const versions = consumer.versions.length;
    // Without a secret to write: that would be a version too.
    await deploy({ WEBHOOK_SECRET: '' });
    expect(consumer.settings).toMatchObject({ observability: { enabled: true } });
    expect(consumer.versions).toHaveLength(versions);
  });
});

describe('an account of 150 shards', () => {
  it('is read in fewer than 1,200 calls, and it is said how far', async () => {
    await open();
    for (const name of ['callback', 'producer', ...Array.from({ length: 150 }, (_, shard) => `consumer-${shard}`)]) {
      cloud.upload(`tasklane-${name}`, METADATA, MODULE);
    }
    const { family } = inputsFor({}, {});
    const { workers } = await readAccount(api(), family, (line) => said.push(line));
    expect(workers.size).toBe(152);
    expect(stub.calls.length).toBeLessThan(1_000);
    expect(said).toContain('      read 150 of 152 Workers');
    expect(now).toBe(0);
  });
});

describe('an account that refuses for five minutes', () => {
  it('is waited for, and the deploy comes to its end', async () => {
    await open({ callLimit: { calls: 20, forgiven: () => now >= 300_000 } });
    await deploy(keys(8));
    expect(said).toContainEqual(expect.stringMatching(/429 .*; again in 300 s$/));
    expect(cloud.scripts.size).toBe(3);
    expect(stub.violations).toEqual([]);
  });
});

/** The producer's, when there is one. */
function uploadIn(steps: readonly Step[]) {
  return steps.find((step) => step.kind === 'upload' && targetOf(step) === 'tasklane-producer');
}

const METADATA = {
  main_module: 'index.js',
  bindings: [],
  compatibility_date: '2026-10-20',
  compatibility_flags: [],
  keep_bindings: ['secret_text'],
};

const MODULE = [{ name: 'index.js', contents: 'export default {};' }];
