/**
 * What a plan wants to exist in an account: queues, databases, buckets, and the Workers in the order in
 * which they can be deployed. Pure.
 */
import { keyNameOf } from '../shared/key/name.ts';
import type { NameFamily } from './account/account.ts';
import type { Migration } from './account/database.ts';
import { type Plan, PlanError, STORE_ZERO, storePrefixOf } from './plan/plan.ts';
import { isOptional } from './plan/secret-names.ts';
import type { WorkerConfig } from './plan/wrangler-file.ts';

export type WorkerKind = 'callback' | 'consumer' | 'draining' | 'producer';

export interface DesiredWorker {
  readonly name: string;
  readonly kind: WorkerKind;
  readonly config: WorkerConfig;
  /** Secrets that it may have; others of a consumer's API keys are taken away. */
  readonly secrets: readonly string[];
  readonly requiredSecrets: readonly string[];
}

export interface DesiredDatabase {
  readonly name: string;
  readonly migrations: readonly Migration[];
}

export interface Desired {
  readonly name: string;
  readonly family: NameFamily;
  readonly queues: readonly string[];
  /** How long they keep a message. */
  readonly retentionSeconds: number;
  readonly buckets: readonly string[];
  readonly databases: readonly DesiredDatabase[];
  /** Names of those that get no new tasks. */
  readonly drainingDatabases: ReadonlySet<string>;
  readonly callback: DesiredWorker;
  readonly consumers: readonly DesiredWorker[];
  readonly draining: readonly DesiredWorker[];
  readonly producer: DesiredWorker;
}

/** Four days, the longest that `shared/message/delivery.ts` counts on; the platform's default for paid plans. */
const RETENTION_SECONDS = 4 * 86_400;

/** As long as the free plan keeps them, and not to be chosen there. */
const FREE_RETENTION_SECONDS = 86_400;

/** @param migrations by database name */
export function desiredOf(
  plan: Plan,
  secrets: ReadonlyMap<WorkerConfig, readonly string[]>,
  migrations: ReadonlyMap<string, readonly Migration[]>,
  isFree = false,
): Desired {
  const family = familyOf(plan);
  const worker =
    (kind: WorkerKind) =>
    (config: WorkerConfig): DesiredWorker => {
      const own = secrets.get(config) ?? [];
      const requiredSecrets = own.filter((secret) => keyNameOf(secret) === undefined && !isOptional(secret));
      return { name: config.name, kind, config, secrets: own, requiredSecrets };
    };
  const [shardZero] = plan.consumers;
  const deadLetters = shardZero?.queues.consumers.flatMap(({ dead_letter_queue }) => dead_letter_queue ?? []) ?? [];
  return {
    name: plan.name,
    family,
    // Dead letters first: a queue's consumer names the one behind it.
    queues: [...new Set([...deadLetters, ...family.queues, ...plan.consumers.map(queueOfConsumer)])],
    retentionSeconds: isFree ? FREE_RETENTION_SECONDS : RETENTION_SECONDS,
    buckets: family.buckets,
    databases: family.databases.map((database) => ({ name: database, migrations: migrations.get(database) ?? [] })),
    drainingDatabases: drainingDatabasesOf(plan),
    callback: worker('callback')(plan.callback),
    consumers: plan.consumers.map(worker('consumer')),
    draining: plan.draining.map(worker('draining')),
    producer: worker('producer')(plan.producer),
  };
}

/** The names of everything that a deployment may own; those of its shards by what they begin with. */
export function familyOf(plan: Plan): NameFamily {
  const [shardZero] = plan.consumers;
  if (shardZero === undefined) throw new PlanError('a plan has at least one shard');
  const workers = [plan.callback, shardZero, plan.producer];
  const ofShards = queueOfConsumer(shardZero).slice(0, -1);
  const queues = workers.flatMap((worker) => [
    ...worker.queues.producers.map(({ queue }) => queue),
    ...worker.queues.consumers.flatMap(({ queue, dead_letter_queue }) => [queue, dead_letter_queue ?? queue]),
  ]);
  return {
    workers: [plan.callback.name, plan.producer.name],
    queues: [...new Set(queues.filter((queue) => !queue.startsWith(ofShards)))],
    databases: [...new Set(workers.flatMap((worker) => worker.d1_databases.map((database) => database.database_name)))],
    buckets: [...new Set(workers.flatMap((worker) => worker.r2_buckets.map((bucket) => bucket.bucket_name)))],
    storePrefix: storePrefixOf(storeZeroOf(plan)),
    consumerPrefix: shardZero.name.slice(0, -1),
    queuePrefix: ofShards,
  };
}

function storeZeroOf({ callback }: Plan): string {
  const first = callback.d1_databases.find(({ binding }) => binding === STORE_ZERO);
  if (first === undefined) throw new PlanError(`wrangler.toml: ${callback.name} is not bound to ${STORE_ZERO}`);
  return first.database_name;
}

function drainingDatabasesOf({ producer }: Plan): ReadonlySet<string> {
  const stores = String(producer.vars.STORES_DRAINING ?? '').split(',');
  const draining = new Set(stores.map((store) => STORE_ZERO.slice(0, -1) + store));
  const going = producer.d1_databases.filter(({ binding }) => draining.has(binding));
  return new Set(going.map(({ database_name }) => database_name));
}

/** The queue of the shard that a consumer serves. */
export function queueOfConsumer({ name, queues }: WorkerConfig): string {
  const [own] = queues.consumers;
  if (own === undefined) throw new PlanError(`wrangler.toml: ${name} consumes no queue`);
  return own.queue;
}
