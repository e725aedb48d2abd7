/**
 * A shard that goes, in the real runtime: what is in its queue is worked on once, and whatever has to wait
 * goes on elsewhere: retries on the shard that stays, keyed tasks where the keys are.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { convertV4MiniflareOptions, Miniflare, NoOpLog } from 'miniflare';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MODULES_ROOT } from '../../deploy/build/bundle.ts';
import { workersOf } from '../../deploy/plan/plan.ts';
import { readMigrationFiles, readPlan } from '../../deploy/plan/plan-files.ts';
import { type Backend, startBackend } from '../../examples/backend/server.ts';
import { openDatabaseFile } from '../../local/database-file.ts';
import { guardRuntimes } from '../../local/orphan-guard.ts';
import { withoutSignalHandlers } from '../../local/signals.ts';
import { workerOptions } from '../../local/worker-options.ts';
import { importMacKey } from '../../shared/crypto/mac.ts';
import { newTaskMessage } from '../../shared/message/task-message.ts';
import { mintTaskId } from '../../shared/task/id.ts';
import { allEnded, SECRETS, statusesIn } from '../e2e/pipeline.ts';
import { buildRelease } from './variant.ts';

const FEEDER = `export default {
  async fetch(request, env) {
    const bodies = await request.json();
    for (let at = 0; at < bodies.length; at += 50) {
      await env.GOING.sendBatch(bodies.slice(at, at + 50).map((body) => ({ body, contentType: 'json' })));
    }
    return new Response('sent');
  },
};`;

interface Attempt {
  readonly event: string;
  readonly id: string;
  readonly attempt: number;
  readonly shard: string;
  readonly service: string;
}

let backend: Backend;
let runtime: Miniflare;
let stateDir: string;
const logs: string[] = [];

beforeAll(async () => {
  stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-drain-'));
  backend = await startBackend();
  const plan = readPlan({
    shards: 1,
    draining: [1],
    vars: {
      PUBLIC_URL: 'http://localhost',
      ALLOW_PRIVATE_TARGETS: 'true',
      KEY_SHARDS: { default: [0] },
      SERVICES: {
        retried: {
          baseUrl: backend.url,
          path: '/flaky?failures=1',
          retry: { maxAttempts: 8, baseSeconds: 0.5, capSeconds: 1 },
        },
        keyed: { baseUrl: backend.url, path: '/quick', keyPool: 'default' },
      },
    },
  });
  const release = await buildRelease([]);
  guardRuntimes();
  runtime = withoutSignalHandlers(
    () =>
      new Miniflare(
        convertV4MiniflareOptions({
          workers: [
            ...workersOf(plan).map((worker) => {
              const kind = worker === plan.producer ? 'producer' : worker === plan.callback ? 'callback' : 'consumer';
              const secrets = plan.consumers.includes(worker) ? { ...SECRETS, KEY1: 'the-only-key' } : SECRETS;
              const modules = [
                { type: 'ESModule', path: `${MODULES_ROOT}/index.js`, contents: release[kind] },
              ] as const;
              return workerOptions(worker, modules, secrets);
            }),
            {
              name: 'feeder',
              compatibilityDate: plan.producer.compatibility_date,
              modulesRoot: MODULES_ROOT,
              modules: [{ type: 'ESModule', path: `${MODULES_ROOT}/feeder.js`, contents: FEEDER }],
              queueProducers: { GOING: { queueName: 'tasklane-tasks-1' } },
            },
          ],
          resourcePersistencePath: stateDir,
          handleStructuredLogs: ({ message }) => logs.push(message),
          log: new NoOpLog(),
          telemetry: { enabled: false },
          cf: false,
        }),
      ),
  );
  const database = await runtime.getD1Database('TASK_DB_0', plan.callback.name);
  for (const migrations of readMigrationFiles(plan).values()) {
    for (const { sql } of migrations) await database.prepare(sql).run();
  }
});
afterAll(async () => {
  await runtime?.dispose();
  await backend.stop();
  await rm(stateDir, { recursive: true, force: true });
});

it('nothing goes back into the queue of the shard, and all tasks succeed', async () => {
  const TASKS = 60;
  const key = await importMacKey(SECRETS.ID_SECRET);
  const messages = await Promise.all(
    Array.from({ length: TASKS }, async (_, index) => {
      const now = Date.now();
      const policy = { maxAttempts: 8, baseSeconds: 0.5, capSeconds: 1 };
      const service = index % 2 === 0 ? 'retried' : 'keyed';
      const id = await mintTaskId(key, 'alice', now, 0);
      return newTaskMessage({ id, subject: 'alice', service, policy, deadlineAt: now + 3_600_000, request: {} });
    }),
  );
  using database = openDatabaseFile(stateDir);
  const feeder = await runtime.getWorker('feeder');
  await feeder.fetch('http://feeder/', { method: 'POST', body: JSON.stringify(messages) });
  await allEnded(database, TASKS, 60_000);

  expect(statusesIn(database)).toEqual({ succeeded: TASKS });
  const attempts = logs
    .filter((line) => line.includes('"task.attempted"'))
    .flatMap((line) => line.split('\n'))
    .map((line) => JSON.parse(line) as Attempt);
  const shardsOf = (service: string, isFirst: boolean) =>
    new Set(
      attempts.filter((each) => each.service === service && (each.attempt === 1) === isFirst).map(({ shard }) => shard),
    );
  expect(shardsOf('retried', true)).toEqual(new Set(['1']));
  expect(shardsOf('retried', false)).toEqual(new Set(['0']));
  const called = attempts.filter(({ service, shard }) => service === 'keyed' && shard === '0');
  expect(new Set(called.map(({ id }) => id)).size).toBe(TASKS / 2);
});
