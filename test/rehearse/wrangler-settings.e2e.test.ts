/**
 * All that `wrangler.toml` may say beside bindings, carried through wrangler's own build into the account, and set right
 * again when somebody changed it there; services that are larger than a variable, with a task through the last of them.
 */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { CloudflareApi } from '../../deploy/account/api.ts';
import type { PlanOptions } from '../../deploy/plan/plan.ts';
import { runDeploy } from '../../deploy/run.ts';
import { buildUploads } from '../../deploy/upload/build-uploads.ts';
import { startExample } from '../../local/example-process.ts';
import { FakeCloudflare } from '../../rehearse/fake-cloudflare.ts';
import { startLive, submitTask } from '../../rehearse/live.ts';
import { SECRETS } from '../../rehearse/scenario.ts';
import { CloudflareStub } from '../../rehearse/server.ts';

const wrangler = vi.hoisted(() => ({ edit: (text: string) => text }));

vi.mock('../../deploy/plan/plan-files.ts', async (original) => {
  const real = await original<typeof import('../../deploy/plan/plan-files.ts')>();
  const [{ planWorkers }, { parse }, { readFileSync }] = await Promise.all([
    import('../../deploy/plan/plan.ts'),
    import('smol-toml'),
    import('node:fs'),
  ]);
  const readPlan = (options: PlanOptions) =>
    planWorkers(parse(wrangler.edit(readFileSync(`${real.ROOT}/wrangler.toml`, 'utf8'))), options);
  return { ...real, readPlan };
});

const CONSUMER = 'tasklane-consumer-0';

let cloud: FakeCloudflare;
let stub: CloudflareStub;

beforeEach(async () => {
  cloud = new FakeCloudflare();
  stub = new CloudflareStub({ secrets: Object.values(SECRETS), requiredSecrets: {} }, cloud);
  await stub.listen();
});
afterEach(async () => {
  wrangler.edit = (text) => text;
  await stub.close();
});

function deploy() {
  const { baseUrl, accountId, token } = stub;
  stub.startRun();
  return runDeploy({
    api: new CloudflareApi({ baseUrl, accountId, token, pausesMs: [1, 1, 1], settlePausesMs: [1, 1, 1] }),
    request: {},
    environment: SECRETS,
    build: (plan) => buildUploads(plan, 'rehearsal-settings'),
    drain: { maxMs: 0, pollMs: 1, force: false },
    say: () => {},
    signal: new AbortController().signal,
  });
}

const uploads = () => stub.calls.filter(({ method, path }) => method === 'PUT' && /scripts\/[^/]+$/.test(path));

it('limits, placement, logpush, tail consumers, sampling and retry_delay reach the account, and are set right there', async () => {
  wrangler.edit = (text) =>
    `logpush = true\n${text}`
      .replace('[observability]\nenabled = true', '[observability]\nenabled = true\nhead_sampling_rate = 0.25')
      .replace('max_retries = 100, dead_letter_queue', 'max_retries = 100, retry_delay = 7, dead_letter_queue')
      .concat('\n[limits]\ncpu_ms = 40000\n[placement]\nmode = "smart"\n[[tail_consumers]]\nservice = "listener"\n');
  await deploy();
  const { metadata, settings } = cloud.script(CONSUMER);
  expect(metadata).toMatchObject({ limits: { cpu_ms: 40_000 }, placement: { mode: 'smart' } });
  const wanted = {
    observability: { enabled: true, head_sampling_rate: 0.25, logs: { enabled: true, invocation_logs: false } },
    logpush: true,
    tail_consumers: [{ service: 'listener' }],
  };
  expect(settings).toEqual(wanted);
  const [consumer] = cloud.queueNamed('tasklane-tasks-0')?.consumers.values() ?? [];
  expect(consumer?.settings).toMatchObject({ retry_delay: 7 });

  // The same again uploads nothing; what somebody changed is set right, without a new version of the Worker.
  cloud.setSettings(CONSUMER, { logpush: false, tail_consumers: [] });
  if (consumer !== undefined) consumer.settings = { ...consumer.settings, retry_delay: 0 };
  await deploy();
  expect(uploads()).toEqual([]);
  expect(cloud.script(CONSUMER).settings).toEqual(wanted);
  expect(consumer?.settings).toMatchObject({ retry_delay: 7 });

  // What is no longer said is off again.
  wrangler.edit = (text) => text;
  await deploy();
  expect(cloud.script(CONSUMER).metadata).not.toHaveProperty('limits');
  expect(cloud.script(CONSUMER).metadata).not.toHaveProperty('placement');
  expect(cloud.script(CONSUMER).settings).toMatchObject({ logpush: false, tail_consumers: [] });
  expect(stub.violations).toEqual([]);
});

it.each([
  ['[observability]', '[observability]\nretention = 3', 'observability.retention'],
  ['workers_dev = false', 'workers_dev = false\nassets = { directory = "x" }', 'assets'],
  ['[env.consumer.queues]', '[env.consumer.hyperdrive]\nid = "x"\n[env.consumer.queues]', 'env.consumer.hyperdrive'],
  ['max_retries = 100, dead', 'max_retries = 100, visibility = 1, dead', 'visibility'],
])('what is not understood is refused with its name, before anything is asked: %s', async (found, put, name) => {
  wrangler.edit = (text) => text.replace(found, put);
  await expect(deploy()).rejects.toThrow(name);
  expect(stub.calls).toEqual([]);
});

it('services above 5 KB go into as many variables as they need, and a task goes through the last of them', async () => {
  const backend = await startExample('backend', () => {});
  try {
    const service = (index: number) =>
      `[vars.SERVICES.service-${index}]\nbaseUrl = "https://backend-${index}.example.com"\npath = "/${'x'.repeat(400)}"\n`;
    wrangler.edit = (text) =>
      text
        .replace('PUBLIC_URL = ""', 'PUBLIC_URL = ""\nALLOW_PRIVATE_TARGETS = "true"')
        .concat(`\n${Array.from({ length: 30 }, (_, index) => service(index)).join('')}`)
        .concat(`[vars.SERVICES.last]\nbaseUrl = "https://last.example.com"\npath = "/echo"\n`);
    const { plan } = await deploy();
    const names = Object.keys(plan.producer.vars).filter((variable) => variable.startsWith('SERVICES'));
    expect(names.length).toBeGreaterThan(2);
    for (const { metadata } of cloud.scripts.values()) {
      const held = metadata.bindings.filter(({ name }) => name.startsWith('SERVICES'));
      expect(held.map(({ name }) => name)).toEqual(names);
      for (const { json } of held) expect(Buffer.byteLength(JSON.stringify(json))).toBeLessThanOrEqual(5_000);
    }
    const last = names.at(-1) ?? '';
    const part = { ...(plan.producer.vars[last] as object), last: { baseUrl: backend.url, path: '/echo' } };
    const live = await startLive(cloud, 'tasklane', { [last]: part, ALLOW_PRIVATE_TARGETS: 'true' });
    try {
      await submitTask(live.runtime, 'tasklane-producer', SECRETS.JWT_SECRET, 'last');
    } finally {
      await live.stop();
    }
  } finally {
    await backend.stop();
  }
});
