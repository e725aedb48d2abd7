/**
 * The local run as an object: producer, callback and one consumer per shard in one workerd, the way
 * `deploy/plan/plan.ts` describes them. The producer listens by itself, with no proxy in front. What was
 * accepted survives `kill -9` of all of it: the next start picks it up before it serves (rule R8).
 */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { convertV4MiniflareOptions, Miniflare, NoOpLog } from 'miniflare';
import { buildBundles } from '../deploy/build/bundle.ts';
import { planKeys } from '../deploy/plan/key-plan.ts';
import { ROOT } from '../deploy/plan/plan-files.ts';
import { secretNames } from '../deploy/plan/secret-names.ts';
import { RECOVER_AFTER_RESTART } from '../shared/store/recovery.ts';
import { LaunchError, reasonOf } from '../terminal/launch-error.ts';
import { type Cron, runScheduled, startCron } from './cron.ts';
import { prepareDatabase } from './database.ts';
import { countDatabaseFiles, forgetLeases, openDatabaseFiles } from './database-file.ts';
import {
  checkServices,
  localWorkers,
  type Mains,
  planLocal,
  type RequestLimits,
  type ServiceInputs,
} from './local-plan.ts';
import type { NetworkService } from './network.ts';
import { guardRuntimes, latestRuntimePid } from './orphan-guard.ts';
import { freePort, portProblem } from './port.ts';
import { keyVariables, type LocalSecrets, loadSecrets } from './secrets.ts';
import { withoutSignalHandlers } from './signals.ts';
import { lockState } from './state-lock.ts';

const DEFAULT_STATE_DIR = path.join(ROOT, '.wrangler', 'state');

/** Production fires each minute; locally nobody wants to wait for it. */
const CRON_INTERVAL_MS = 10_000;

/** Two, so that a run without keys shows sharding too. */
const SHARDS_WITHOUT_KEYS = 2;

/** A line that a Worker, or the runtime around it, wrote. */
export interface LogLine {
  readonly at: Date;
  readonly level: string;
  readonly text: string;
}

export interface LocalOptions {
  /** 0, the default, takes any free one. */
  readonly port?: number;
  /** Where the database lives; kept between runs. */
  readonly stateDir?: string;
  /** By default as many as the API keys need, or two without any. */
  readonly shards?: number;
  /** Databases that hold the tasks; 1 by default. Those of an earlier run with more go on beside them. */
  readonly stores?: number;
  /** Added to those in wrangler.toml. */
  readonly services?: ServiceInputs;
  /** On top of wrangler.toml and of what the local run sets. */
  readonly vars?: Readonly<Record<string, unknown>>;
  /** By default those of `.dev.vars` and the environment. */
  readonly secrets?: LocalSecrets;
  /** Other entry files than wrangler.toml's. */
  readonly mains?: Mains;
  /** Batches and connections as they are deployed, and not as the local runtime bears them. */
  readonly asDeployed?: boolean;
  /** Requests are counted by the platform's binding, as deployed but for the numbers. */
  readonly requestLimits?: RequestLimits;
  /** Empties `stateDir` first. */
  readonly fresh?: boolean;
  /** Opens the runtime's inspector there, for those who look at an isolate's memory; 0 takes any free port. */
  readonly inspectorPort?: number;
  /** From one round of the cron to the next; 10 s by default. */
  readonly cronIntervalMs?: number;
  readonly log?: (line: LogLine) => void;
  /** What consumers reach servers through, instead of the network itself: a service that behaves as the platform does. */
  readonly network?: NetworkService;
  /** Refuses services that cannot work, in the words of a deploy's plan. */
  readonly reviewsServices?: boolean;
}

export interface LocalRun {
  readonly url: string;
  readonly port: number;
  readonly secrets: LocalSecrets;
  readonly shards: number;
  readonly miniflare: Miniflare;
  /** The process of the runtime, for those who measure or kill it. */
  readonly runtimePid: number | undefined;
  /** Open tasks of an earlier run that this one picked up. */
  readonly recovered: number;
  /** Runs the cron's round now, after the one under way if there is one. */
  tick(): Promise<void>;
  stop(): Promise<void>;
}

/** @throws LaunchError, PlanError: one line that says what to do */
export async function startLocal(options: LocalOptions = {}): Promise<LocalRun> {
  const stateDir = options.stateDir ?? DEFAULT_STATE_DIR;
  const unlock = lockState(stateDir);
  try {
    const persistencePath = path.join(stateDir, 'v3');
    if (options.fresh === true) await rm(persistencePath, { recursive: true, force: true });
    const run = await launch(options, persistencePath);
    return { ...run, stop: () => run.stop().finally(unlock) };
  } catch (error) {
    unlock();
    throw error;
  }
}

async function launch(options: LocalOptions, persistencePath: string): Promise<LocalRun> {
  const { services = {}, vars = {}, log = () => {}, cronIntervalMs = CRON_INTERVAL_MS } = options;
  const port = await freePort(options.port ?? 0);
  const url = `http://localhost:${port}`;
  const variables = keyVariables(options.secrets);
  const keys = planKeys(variables, options.shards ?? (variables.length === 0 ? SHARDS_WITHOUT_KEYS : undefined));
  const stores = options.stores ?? 1;
  const earlier = countDatabaseFiles(persistencePath);
  const leftStores = Array.from({ length: Math.max(0, earlier - stores) }, (_, index) => stores + index);
  const { mains, asDeployed, requestLimits } = options;
  const plan = planLocal({ keys, stores, leftStores, services, vars, mains, asDeployed, requestLimits }, url);
  const secrets = options.secrets ?? loadSecrets([...secretNames(plan, keys).values()].flat());

  if (options.reviewsServices === true) checkServices(plan, keys, secrets);

  guardRuntimes();
  const [bundles, recovered] = await Promise.all([
    buildBundles(plan),
    prepareDatabase(plan.callback, persistencePath, Date.now()),
  ]);

  let cron: Cron | undefined;
  const write = (level: string, text: string) => log({ at: new Date(), level, text });
  const miniflare = withoutSignalHandlers(
    () =>
      new Miniflare(
        convertV4MiniflareOptions({
          workers: localWorkers(plan, keys, bundles, secrets, port, options.network),
          resourcePersistencePath: persistencePath,
          handleStructuredLogs: ({ timestamp, level, message }) =>
            log({ at: new Date(timestamp), level, text: message }),
          log: new NoOpLog(),
          telemetry: { enabled: false },
          unsafeLocalExplorer: false,
          unsafeObservability: false,
          unsafeTriggerHandlers: true,
          cf: false,
          ...(options.inspectorPort !== undefined && { inspectorPort: options.inspectorPort }),
          // A crashed runtime is started again by Miniflare, without the queue that lived in its memory.
          unsafeHandleRuntimeRestart: async () => {
            write('error', 'the runtime crashed and was started again');
            recoverDatabase(persistencePath);
            await cron?.tick();
          },
        }),
      ),
  );
  try {
    await miniflare.ready;
  } catch (error) {
    await miniflare.dispose().catch(() => {});
    throw startProblem(error, port);
  }
  const runtimePid = latestRuntimePid();

  cron = startCron(
    cronIntervalMs,
    async () => {
      const workers = [plan.callback.name, plan.producer.name];
      await Promise.all(workers.map((name) => runScheduled(miniflare, name)));
    },
    (error) => write('error', `the cron's round failed: ${reasonOf(error)}`),
  );
  // What was picked up goes on now, not at the first full interval.
  void cron.tick();

  let stopped: Promise<void> | undefined;
  return {
    url,
    port,
    secrets,
    shards: keys.shards,
    miniflare,
    runtimePid,
    recovered,
    tick: cron.tick,
    stop: () => {
      stopped ??= cron.stop().then(() => miniflare.dispose());
      return stopped;
    },
  };
}

function recoverDatabase(persistencePath: string): void {
  forgetLeases(persistencePath);
  for (const database of openDatabaseFiles(persistencePath, { readOnly: false })) {
    try {
      database.prepare(RECOVER_AFTER_RESTART).run(Date.now());
    } finally {
      database.close();
    }
  }
}

function startProblem(error: unknown, port: number): Error {
  const { code } = error as { code?: string };
  if (code === 'ERR_ADDRESS_IN_USE') return new LaunchError(portProblem(port, { ...new Error(), code: 'EADDRINUSE' }));
  return new LaunchError(`the runtime did not start: ${reasonOf(error)}`);
}
