/** `--smoke` against the stub, with the real Workers that were deployed to it behind the public address. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CloudflareApi } from '../../deploy/account/api.ts';
import { type Deployed, runDeploy } from '../../deploy/run.ts';
import { type SmokeCheck, smoke } from '../../deploy/smoke/smoke.ts';
import { buildUploads } from '../../deploy/upload/build-uploads.ts';
import { FakeCloudflare } from '../../rehearse/fake-cloudflare.ts';
import { type Live, startLive } from '../../rehearse/live.ts';
import { CloudflareStub } from '../../rehearse/server.ts';

const SECRETS = {
  JWT_SECRET: 'smoke-jwt-secret-0123456789abcdefghijkl',
  ID_SECRET: 'smoke-id-secret-0123456789abcdefghijklm',
  CALLBACK_SECRET: 'smoke-callback-secret-0123456789abcdef',
  WEBHOOK_SECRET: 'smoke-webhook-secret-0123456789abcdef',
};

const { signal } = new AbortController();

let cloud: FakeCloudflare;
let stub: CloudflareStub;
let live: Live | undefined;

beforeEach(async () => {
  cloud = new FakeCloudflare();
  stub = new CloudflareStub({ secrets: Object.values(SECRETS), requiredSecrets: {} }, cloud);
  await stub.listen();
});
afterEach(async () => {
  await live?.stop();
  live = undefined;
  await stub.close();
});

function api(): CloudflareApi {
  const { baseUrl, accountId, token } = stub;
  return new CloudflareApi({ baseUrl, accountId, token, pausesMs: [1, 1, 1], settlePausesMs: [1, 1, 1] });
}

function deploy(): Promise<Deployed> {
  return runDeploy({
    api: api(),
    request: {},
    environment: { ...SECRETS, KEY1: 'smoke-key-number-1' },
    build: (plan) => buildUploads(plan, 'rehearsal-smoke'),
    drain: { maxMs: 0, pollMs: 1, force: false },
    say: () => {},
    signal,
  });
}

/** Quicker than in an account, where definitions take their five seconds. */
const timing = { knownAfterMs: 1_200, slowMs: 1_000, timeoutSeconds: 2, logs: { withinMs: 3_000, pollMs: 200 } };

async function look({ desired, publicUrl }: Deployed, connections?: number): Promise<readonly SmokeCheck[]> {
  const ask = async (url: string, init?: RequestInit) => {
    // The echo is uploaded before anything is asked: what the account holds then is what runs.
    live ??= await startLive(cloud, 'tasklane', undefined, connections);
    return live.ask(url, init);
  };
  return smoke({ api: api(), desired, publicUrl, jwtSecret: SECRETS.JWT_SECRET, ask, timing, say: () => {}, signal });
}

it('sees a deployment that is well, at an echo on the account’s own workers.dev, and removes what it made', async () => {
  const deployed = await deploy();
  const before = [...cloud.scripts.keys()];
  const checks = await look(deployed);
  expect(checks.filter(({ isGood }) => !isGood)).toEqual([]);
  expect(checks.map(({ what }) => what)).toEqual([
    'settings of the account',
    'dead letters',
    'public address',
    'a task',
    'a large task',
    'six connections',
    'logs',
  ]);
  expect(checks.at(-2)?.seen).toMatch(
    /^(12|60) calls of 1 s with a time-out of 2 s: \1 succeeded at once, \d+ at a time, [1-9]\d* after their turn came$/,
  );
  expect(checks.at(-1)?.seen).toMatch(/^the task's line was there after \d s: task\.attempted, succeeded$/);
  expect([...cloud.scripts.keys()]).toEqual(before);
  expect(stub.violations).toEqual([]);
});

it('says what is not well: a log that is off, a cron that is gone, calls to the own account that are refused', async () => {
  const deployed = await deploy();
  const consumer = cloud.script('tasklane-consumer-0');
  consumer.add({
    ...consumer.newest,
    metadata: { ...consumer.metadata, compatibility_flags: ['enable_request_signal'] },
  });
  cloud.setSettings('tasklane-callback', { observability: { enabled: false } });
  cloud.setCrons('tasklane-callback', []);
  const checks = await look(deployed);
  const seen = (what: string) => checks.find((check) => check.what === what);
  expect(seen('settings of the account')).toMatchObject({
    isGood: false,
    seen: 'tasklane-callback writes no log; tasklane-callback lacks the cron * * * * *',
  });
  expect(seen('a task')).toMatchObject({ isGood: false, seen: expect.stringMatching(/^failed in .*404/) });
  expect(cloud.scripts.has('tasklane-smoke-echo')).toBe(false);
});

it('says that calls wait for connections which the platform does not give, and that the token may not read logs', async () => {
  const deployed = await deploy();
  cloud.forbidden = ['/workers/observability/'];
  const checks = await look(deployed, 3);
  const seen = (what: string) => checks.find((check) => check.what === what);
  expect(seen('six connections')).toMatchObject({ isGood: false, seen: expect.stringMatching(/time/) });
  expect(seen('logs')).toMatchObject({ isGood: true, seen: expect.stringMatching(/^not looked at: the token lacks/) });
});
