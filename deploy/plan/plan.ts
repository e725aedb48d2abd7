/**
 * The shard plan: expands the one wrangler.toml into one configuration per Worker. The consumer's
 * section speaks of shard 0 and is repeated for every shard; producer and callback get a queue binding
 * per shard. Pure: parsed configuration in, configurations out; the same plan drives the local run
 * and a deploy, so what runs locally is what is deployed, shard for shard.
 */
import type * as z from 'zod';
import { reasonOf, unknownNames } from '../../shared/issue-reason.ts';
import { splitServices } from '../../shared/service/variables.ts';
import { MAX_STORES } from '../../shared/task/id.ts';
import { withOwnCounters } from './counters.ts';
import { type WorkerConfig, type WorkerSection, WranglerFileSchema } from './wrangler-file.ts';

export interface Plan {
  /** What all its names begin with. */
  readonly name: string;
  readonly producer: WorkerConfig;
  readonly callback: WorkerConfig;
  /** By shard number. */
  readonly consumers: readonly WorkerConfig[];
  /** Consumers of shards that go: nobody sends to their queues, and they send on what is left there. */
  readonly draining: readonly WorkerConfig[];
}

export interface PlanOptions {
  readonly shards: number;
  /** Databases that hold the tasks; by default the producer's variable STORES. */
  readonly stores?: number;
  /** Numbers of stores that get no new tasks and go when they are empty. */
  readonly drainingStores?: readonly number[];
  /** Shard numbers above those that are to stay. */
  readonly draining?: readonly number[];
  /** A copy of everything beside the first, under the file's name and this. It has no domain of its own. */
  readonly preview?: string | undefined;
  /**
   * Variables that replace the file's. A variable goes to the Workers that declare it, or to all of
   * them when none does.
   */
  readonly vars?: Readonly<Record<string, unknown>>;
}

/** wrangler.toml, or the options, cannot be planned; the message says what and where. */
export class PlanError extends Error {
  override readonly name = 'PlanError';
}

/** @throws PlanError */
export function planWorkers(wranglerToml: unknown, options: PlanOptions): Plan {
  if (!Number.isInteger(options.shards) || options.shards < 1) throw new PlanError('there is at least one shard');
  const parsed = WranglerFileSchema.safeParse(wranglerToml);
  if (!parsed.success) {
    throw new PlanError(`wrangler.toml: ${parsed.error.issues.map(issueText).join('; ')}`);
  }
  const { vars, name, ...rest } = parsed.data;
  const deployment = options.preview === undefined ? name : `${name}-${options.preview}`;
  const { env, ...inherited } = withName(rest, name, deployment);
  const fill = (section: WorkerSection): WorkerConfig => ({
    ...inherited,
    ...section,
    vars: { ...vars, ...section.vars },
  });

  const first = fill(env.producer);
  const producer = options.preview === undefined ? first : withOwnCounters({ ...first, routes: [] }, deployment);
  const consumer = fill(env.consumer);
  const queue = shardZeroQueue(consumer);
  const shards = Array.from({ length: options.shards }, (_, shard) => shard);
  const stores = storeNumbers(options.stores ?? storesOf(producer), options.drainingStores);
  const plan: Plan = {
    name: deployment,
    producer: withConsumerPerShard(
      withQueuePerShard(withDatabasePerStore(withDraining(producer, options), stores), queue, shards),
      consumer.name,
      shards,
    ),
    callback: withQueuePerShard(withDatabasePerStore(fill(env.callback), stores), queue, shards),
    consumers: shards.map((shard) => consumerOfShard(consumer, queue, shard, shards)),
    draining: (options.draining ?? []).map((shard) => drainingConsumer(consumer, queue, shard, shards)),
  };
  return withVars(plan, options.vars ?? {});
}

function issueText(issue: z.core.$ZodIssue): string {
  const at = (key?: string) => [...issue.path.map(String), ...(key === undefined ? [] : [key])].join('.');
  if (issue.code !== 'unrecognized_keys') return `${at()}: ${reasonOf(issue)}`;
  return unknownNames(issue)
    .map(({ name, suggestion }) => {
      const fix = suggestion === undefined ? '' : `; did you mean ${suggestion}?`;
      return `${at(name)}: is not understood, and a deploy would lose it${fix}`;
    })
    .join('; ');
}

/** Every Worker of the plan, in the order in which they can be deployed: who is bound comes first. */
export function workersOf(plan: Plan): WorkerConfig[] {
  return [plan.callback, ...plan.consumers, ...plan.draining, plan.producer];
}

/** What the name stands at the beginning of: Workers, queues, databases, buckets. */
const NAMED = new Set(['name', 'service', 'queue', 'dead_letter_queue', 'database_name', 'bucket_name']);

/** The same configuration under another name. */
function withName<Part>(part: Part, from: string, to: string): Part {
  const walk = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') {
      const isOurs = NAMED.has(key) && (value === from || value.startsWith(`${from}-`));
      return isOurs ? to + value.slice(from.length) : value;
    }
    if (Array.isArray(value)) return value.map((item) => walk(item, key));
    if (typeof value !== 'object' || value === null || key === 'vars') return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, walk(inner, name)]));
  };
  return walk(part, '') as Part;
}

function shardZeroQueue(consumer: WorkerConfig): string {
  const [own] = consumer.queues.consumers;
  if (own === undefined || !own.queue.endsWith('-0')) {
    throw new PlanError('wrangler.toml: env.consumer.queues.consumers: names the queue of shard 0, ending in -0');
  }
  if (!consumer.name.endsWith('-0')) {
    throw new PlanError('wrangler.toml: env.consumer.name: is the name of shard 0, ending in -0');
  }
  return own.queue;
}

function ofShard(nameOfShardZero: string, shard: number): string {
  return `${nameOfShardZero.slice(0, -2)}-${shard}`;
}

/** Of one queue's consumer. */
const MAX_INVOCATIONS = 250;

/** `OWN_QUEUE` is the shard's own; `TASK_QUEUE_0` stands for one binding per shard, as elsewhere. */
function consumerOfShard(
  consumer: WorkerConfig,
  queue: string,
  shard: number,
  shards: readonly number[],
): WorkerConfig {
  const renamed = (name: string) => (name === queue || name === consumer.name ? ofShard(name, shard) : name);
  const consumers = queueSettings(consumer, queue, shard);
  // Without a word of it the platform runs as many as it has (Queues limits, "Concurrent consumer invocations").
  const invocations = consumers[0]?.max_concurrency ?? MAX_INVOCATIONS;
  return {
    ...consumer,
    name: renamed(consumer.name),
    vars: { ...consumer.vars, SHARD: String(shard), INVOCATIONS: String(invocations) },
    services: consumer.services.map((service) => ({ ...service, service: renamed(service.service) })),
    queues: {
      producers: consumer.queues.producers.flatMap((producer) =>
        producer.queue === queue && producer.binding.endsWith('_0')
          ? perShard(producer, shards, (other) => ({ queue: ofShard(queue, other) }))
          : [{ ...producer, queue: renamed(producer.queue) }],
      ),
      consumers,
    },
  };
}

/** A shard's own line of settings, or shard 0's. */
function queueSettings(consumer: WorkerConfig, queue: string, shard: number): WorkerConfig['queues']['consumers'] {
  const settings = consumer.queues.consumers;
  const stray = settings.find((line) => !isShardOf(queue, line.queue));
  if (stray !== undefined) {
    throw new PlanError(`wrangler.toml: env.consumer.queues.consumers: ${stray.queue} is the queue of no shard`);
  }
  const own = ofShard(queue, shard);
  const line =
    settings.find((candidate) => candidate.queue === own) ?? settings.find(({ queue: name }) => name === queue);
  return line === undefined ? [] : [{ ...line, queue: own }];
}

function isShardOf(queue: string, name: string): boolean {
  return name.startsWith(queue.slice(0, -1)) && /^\d+$/.test(name.slice(queue.length - 1));
}

/** Sends to the shards that stay, and what it would have kept for later to the first of them. */
function drainingConsumer(
  consumer: WorkerConfig,
  queue: string,
  shard: number,
  shards: readonly number[],
): WorkerConfig {
  const { vars, queues, ...worker } = consumerOfShard(consumer, queue, shard, shards);
  const own = ofShard(queue, shard);
  const producers = queues.producers.map((producer) =>
    producer.queue === own ? { ...producer, queue: ofShard(queue, 0) } : producer,
  );
  return { ...worker, vars: { ...vars, DRAINING: 'true' }, queues: { ...queues, producers } };
}

/** The binding of shard 0's queue, repeated for every shard; other queues stay. */
function withQueuePerShard(worker: WorkerConfig, queue: string, shards: readonly number[]): WorkerConfig {
  const producers = worker.queues.producers.flatMap((producer) => {
    if (producer.queue !== queue) return [producer];
    if (!producer.binding.endsWith('_0')) {
      throw new PlanError(`wrangler.toml: ${worker.name}: the binding of ${queue} ends in _0`);
    }
    return perShard(producer, shards, (shard) => ({ queue: ofShard(queue, shard) }));
  });
  return { ...worker, queues: { ...worker.queues, producers } };
}

/** How many databases wrangler.toml wants. @throws PlanError */
export function storesOf({ vars }: WorkerConfig): number {
  const stores = Number(vars.STORES ?? 1);
  if (Number.isInteger(stores) && stores >= 1) return stores;
  throw new PlanError(`wrangler.toml: env.producer.vars.STORES: is a whole number from 1 to ${MAX_STORES}`);
}

function storeNumbers(stores: number, drainingStores: readonly number[] = []): number[] {
  if (stores > MAX_STORES)
    throw new PlanError(`there are at most ${MAX_STORES} stores: their number is one byte of an id`);
  const staying = Array.from({ length: stores }, (_, store) => store);
  return [...new Set([...staying, ...drainingStores])].sort((a, b) => a - b);
}

/** What the names of the stores begin with, but for the first, which has the deployment's own name. */
export function storePrefixOf(nameOfStoreZero: string): string {
  return `${nameOfStoreZero}-store-`;
}

function databaseOfStore(nameOfStoreZero: string, store: number): string {
  return store === 0 ? nameOfStoreZero : `${storePrefixOf(nameOfStoreZero)}${store}`;
}

export const STORE_ZERO = 'TASK_DB_0';

/** The binding of the first store, repeated for every store; other databases stay. */
function withDatabasePerStore(worker: WorkerConfig, stores: readonly number[]): WorkerConfig {
  const databases = worker.d1_databases.flatMap((database) =>
    database.binding === STORE_ZERO
      ? perShard(database, stores, (store) => ({ database_name: databaseOfStore(database.database_name, store) }))
      : [database],
  );
  return { ...worker, d1_databases: databases };
}

function withDraining(producer: WorkerConfig, { drainingStores = [] }: PlanOptions): WorkerConfig {
  if (drainingStores.length === 0) return producer;
  return { ...producer, vars: { ...producer.vars, STORES_DRAINING: drainingStores.join(',') } };
}

/** The binding of shard 0's consumer, repeated for every shard; other services stay. */
function withConsumerPerShard(worker: WorkerConfig, consumer: string, shards: readonly number[]): WorkerConfig {
  const services = worker.services.flatMap((service) =>
    service.service === consumer
      ? perShard(service, shards, (shard) => ({ service: ofShard(consumer, shard) }))
      : [service],
  );
  return { ...worker, services };
}

/** A binding whose name ends in `_0`, once for each shard. */
function perShard<Binding extends { readonly binding: string }>(
  binding: Binding,
  shards: readonly number[],
  target: (shard: number) => Partial<Binding>,
): Binding[] {
  const prefix = binding.binding.slice(0, -1);
  return shards.map((shard) => ({ ...binding, binding: `${prefix}${shard}`, ...target(shard) }));
}

function withVars(plan: Plan, vars: Readonly<Record<string, unknown>>): Plan {
  const workers = workersOf(plan);
  const assigned = (worker: WorkerConfig): WorkerConfig => {
    const defined = Object.entries(vars).filter(
      ([name]) => name in worker.vars || !workers.some((other) => name in other.vars),
    );
    return { ...worker, vars: splitServices({ ...worker.vars, ...Object.fromEntries(defined) }) };
  };
  return {
    name: plan.name,
    producer: assigned(plan.producer),
    callback: assigned(plan.callback),
    consumers: plan.consumers.map(assigned),
    draining: plan.draining.map(assigned),
  };
}

/**
 * The configuration as it stands in a file `depth` folders below the root: its paths lead back up.
 * Module rules need no change, their globs start with `**`.
 */
export function configBelowRoot(worker: WorkerConfig, depth: number): WorkerConfig {
  const up = '../'.repeat(depth);
  return {
    ...worker,
    main: up + worker.main,
    d1_databases: worker.d1_databases.map((database) => ({
      ...database,
      migrations_dir: up + database.migrations_dir,
    })),
  };
}
