/**
 * Two releases in one runtime, on one database and one queue. Which of them takes the next batch, answers
 * the next call and accepts the next task is switched while all of them work, as a deploy does: what was
 * begun ends where it began. The switch in front of the queue hands whole batches to the consumer whose
 * turn it is and repeats its dispositions, message by message.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { convertV4MiniflareOptions, type LegacyWorkerOptions, Miniflare, NoOpLog } from 'miniflare';
import { MODULES_ROOT } from '../../deploy/build/bundle.ts';
import { planKeys } from '../../deploy/plan/key-plan.ts';
import type { Plan } from '../../deploy/plan/plan.ts';
import { readMigrationFiles } from '../../deploy/plan/plan-files.ts';
import type { WorkerConfig } from '../../deploy/plan/wrangler-file.ts';
import { openDatabaseFile } from '../../local/database-file.ts';
import { planLocal, type ServiceInputs } from '../../local/local-plan.ts';
import { guardRuntimes } from '../../local/orphan-guard.ts';
import { withoutSignalHandlers } from '../../local/signals.ts';
import { workerOptions } from '../../local/worker-options.ts';
import type { Release } from './variant.ts';

/** Which release each kind of Worker is of. */
export interface Stage {
  readonly callback: 0 | 1;
  readonly consumer: 0 | 1;
  readonly producer: 0 | 1;
}

/** The order of a deploy: who is called is new before who calls. And back. */
export const FORTH_AND_BACK: readonly Stage[] = [
  { callback: 0, consumer: 0, producer: 0 },
  { callback: 1, consumer: 0, producer: 0 },
  { callback: 1, consumer: 1, producer: 0 },
  { callback: 1, consumer: 1, producer: 1 },
  { callback: 0, consumer: 1, producer: 1 },
  { callback: 0, consumer: 0, producer: 1 },
  { callback: 0, consumer: 0, producer: 0 },
];

const QUEUE = 'tasklane-tasks-0';

const SWITCH = `
let consumer = 'CONSUMER_0_0';
export default {
  fetch(request) {
    consumer = new URL(request.url).pathname.slice(1);
    return new Response(consumer);
  },
  async queue(batch, env) {
    const messages = batch.messages.map(({ id, timestamp, attempts, body }) => ({ id, timestamp, attempts, body }));
    const verdict = await env[consumer].queue(batch.queue, messages);
    if (verdict.outcome !== 'ok') return batch.retryAll();
    const acked = new Set(verdict.explicitAcks);
    const retried = new Map(verdict.retryMessages.map(({ msgId, delaySeconds }) => [msgId, delaySeconds ?? 0]));
    for (const message of batch.messages) {
      if (retried.has(message.id)) message.retry({ delaySeconds: retried.get(message.id) });
      else if (verdict.ackAll || acked.has(message.id)) message.ack();
      else message.retry();
    }
  },
};`;

export interface House extends AsyncDisposable {
  switchTo(stage: Stage): Promise<void>;
  /** The producer whose turn it is. */
  fetch(
    target: string,
    init: { method: string; headers: Record<string, string>; body?: string },
  ): Promise<{
    readonly status: number;
    readonly text: string;
  }>;
  /** Read-only. */
  readonly database: DatabaseSync;
  /** What the Workers logged as errors. */
  readonly errors: readonly string[];
}

export async function openHouse(
  releases: readonly [Release, Release],
  services: ServiceInputs,
  secrets: Readonly<Record<string, string>>,
): Promise<House> {
  guardRuntimes();
  const stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-house-'));
  const plan = planLocal({ keys: planKeys([], 1), services, vars: { ACCEPT: 'queue' } }, 'http://localhost');
  const errors: string[] = [];
  const runtime = withoutSignalHandlers(
    () =>
      new Miniflare(
        convertV4MiniflareOptions({
          workers: workersOf(plan, releases, secrets),
          resourcePersistencePath: stateDir,
          handleStructuredLogs: ({ level, message }) => void (level === 'error' && errors.push(message)),
          log: new NoOpLog(),
          telemetry: { enabled: false },
          cf: false,
        }),
      ),
  );
  const empty = await runtime.getD1Database('TASK_DB_0', name('callback', 0));
  for (const migrations of readMigrationFiles(plan).values()) {
    for (const { sql } of migrations) await empty.prepare(sql).run();
  }
  // Looked up before there is load: a look-up stops this process until the runtime answers.
  const turn = await runtime.getWorker('switch');
  const producers = new Map<string, Awaited<ReturnType<Miniflare['getWorker']>>>();
  for (const release of RELEASES) {
    for (const calls of RELEASES) {
      const producer = name('producer', release, calls);
      producers.set(producer, await runtime.getWorker(producer));
    }
  }
  const database = openDatabaseFile(stateDir);
  let stage = FORTH_AND_BACK[0] ?? { callback: 0, consumer: 0, producer: 0 };
  return {
    database,
    errors,
    switchTo: async (next) => {
      await turn.fetch(`http://switch/CONSUMER_${next.consumer}_${next.callback}`);
      stage = next;
    },
    fetch: async (target, init) => {
      const producer = producers.get(name('producer', stage.producer, stage.callback));
      if (producer === undefined) throw new Error('no such producer');
      const response = await producer.fetch(`http://localhost${target}`, init);
      return { status: response.status, text: await response.text() };
    },
    [Symbol.asyncDispose]: async () => {
      database.close();
      await runtime.dispose();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

const RELEASES = [0, 1] as const;

/** Callers are there once for each release that they may call. */
function name(kind: 'producer' | 'consumer' | 'callback', release: 0 | 1, calls?: 0 | 1): string {
  return calls === undefined ? `${kind}-${release}` : `${kind}-${release}-${calls}`;
}

function workersOf(
  plan: Plan,
  releases: readonly [Release, Release],
  secrets: Readonly<Record<string, string>>,
): LegacyWorkerOptions[] {
  const [consumer] = plan.consumers;
  if (consumer === undefined) throw new Error('no consumer');
  const callers = RELEASES.flatMap((release) => RELEASES.map((calls) => ({ release, calls })));
  const worker = (config: WorkerConfig, module: string, own: string, calls: 0 | 1): LegacyWorkerOptions => {
    const modules = [{ type: 'ESModule', path: `${MODULES_ROOT}/index.js`, contents: module }] as const;
    const options = workerOptions(config, modules, secrets);
    const target = (service: string) => {
      if (service === config.name) return own;
      return service === plan.callback.name ? name('callback', calls) : name('consumer', calls, calls);
    };
    return {
      ...options,
      name: own,
      // Taken by the switch; dead letters by the first release's callback Worker.
      queueConsumers: own === name('callback', 0) ? (options.queueConsumers ?? {}) : {},
      serviceBindings: Object.fromEntries(
        config.services.map(({ binding, service, entrypoint }) => [
          binding,
          { name: target(service), ...(entrypoint !== undefined && { entrypoint }) },
        ]),
      ),
    };
  };
  return [
    {
      name: 'switch',
      compatibilityDate: plan.producer.compatibility_date,
      compatibilityFlags: ['service_binding_extra_handlers', 'experimental'],
      modules: [{ type: 'ESModule', path: `${MODULES_ROOT}/switch.js`, contents: SWITCH }],
      modulesRoot: MODULES_ROOT,
      serviceBindings: Object.fromEntries(
        callers.map(({ release, calls }) => [`CONSUMER_${release}_${calls}`, name('consumer', release, calls)]),
      ),
      queueConsumers: {
        [QUEUE]: {
          maxBatchSize: 100,
          maxBatchTimeout: 0,
          maxRetries: 100,
          retryDelay: 0,
          deadLetterQueue: 'tasklane-dead',
        },
      },
    },
    ...RELEASES.map((release) => worker(plan.callback, releases[release].callback, name('callback', release), release)),
    ...callers.flatMap(({ release, calls }) => [
      worker(consumer, releases[release].consumer, name('consumer', release, calls), calls),
      worker(plan.producer, releases[release].producer, name('producer', release, calls), calls),
    ]),
  ];
}
