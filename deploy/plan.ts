/**
 * The shard plan: expands the one wrangler.toml into one configuration per Worker. The consumer's
 * section speaks of shard 0 and is repeated for every shard; producer and callback get a queue binding
 * per shard. Pure: parsed configuration in, configurations out; the same plan drives the local run
 * and a deploy, so what runs locally is what is deployed, shard for shard.
 */
import * as z from 'zod';

const VarsSchema = z.record(z.string(), z.unknown());

const ServiceBindingSchema = z.looseObject({
  binding: z.string(),
  service: z.string(),
  entrypoint: z.string().optional(),
});

const QueueProducerSchema = z.looseObject({ binding: z.string(), queue: z.string() });

const QueueConsumerSchema = z.looseObject({
  queue: z.string(),
  max_batch_size: z.number().int().min(1).max(100),
  max_batch_timeout: z.number().int().min(0).max(60),
  max_retries: z.number().int().min(0).max(100),
  dead_letter_queue: z.string().optional(),
});

const QueuesSchema = z.strictObject({
  producers: z.array(QueueProducerSchema).default([]),
  consumers: z.array(QueueConsumerSchema).default([]),
});

const D1Schema = z.looseObject({ binding: z.string(), database_name: z.string(), migrations_dir: z.string() });

/** Each consumer has a namespace of its own: the class lives in the Worker that binds it. */
const DurableObjectsSchema = z.strictObject({
  bindings: z.array(z.strictObject({ name: z.string(), class_name: z.string() })).default([]),
});

const RuleSchema = z.looseObject({ type: z.string(), globs: z.array(z.string()) });

/** What a Worker's section says; sections that the plan does not touch pass through. */
const WorkerSectionSchema = z.looseObject({
  name: z.string(),
  main: z.string(),
  vars: VarsSchema.default({}),
  services: z.array(ServiceBindingSchema).default([]),
  queues: QueuesSchema.prefault({}),
  d1_databases: z.array(D1Schema).default([]),
  durable_objects: DurableObjectsSchema.prefault({}),
  rules: z.array(RuleSchema).default([]),
  secrets: z.strictObject({ required: z.array(z.string()).default([]) }).prefault({}),
});

const RootSchema = z.looseObject({
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()).optional(),
  vars: VarsSchema.default({}),
  env: z.strictObject({ producer: WorkerSectionSchema, consumer: WorkerSectionSchema, callback: WorkerSectionSchema }),
});

type WorkerSection = z.infer<typeof WorkerSectionSchema>;

/** One Worker's configuration as wrangler reads it, with the root's inheritable keys filled in. */
export type WorkerConfig = WorkerSection & {
  readonly compatibility_date: string;
  readonly compatibility_flags?: string[] | undefined;
};

export interface Plan {
  readonly producer: WorkerConfig;
  readonly callback: WorkerConfig;
  /** By shard number. */
  readonly consumers: readonly WorkerConfig[];
}

export interface PlanOptions {
  readonly shards: number;
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
  const parsed = RootSchema.safeParse(wranglerToml);
  if (!parsed.success) {
    const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    throw new PlanError(`wrangler.toml: ${issues.join('; ')}`);
  }
  const { env, vars, name: _name, ...inherited } = parsed.data;
  const fill = (section: WorkerSection): WorkerConfig => ({
    ...inherited,
    ...section,
    vars: { ...vars, ...section.vars },
  });

  const consumer = fill(env.consumer);
  const queue = shardZeroQueue(consumer);
  const shards = Array.from({ length: options.shards }, (_, shard) => shard);
  const plan: Plan = {
    producer: withConsumerPerShard(withQueuePerShard(fill(env.producer), queue, shards), consumer.name, shards),
    callback: withQueuePerShard(fill(env.callback), queue, shards),
    consumers: shards.map((shard) => consumerOfShard(consumer, queue, shard, shards)),
  };
  return withVars(plan, options.vars ?? {});
}

/** Every Worker of the plan, in the order in which they can be deployed: who is bound comes first. */
export function workersOf(plan: Plan): WorkerConfig[] {
  return [plan.callback, ...plan.consumers, plan.producer];
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

/** `OWN_QUEUE` is the shard's own; `TASK_QUEUE_0` stands for one binding per shard, as elsewhere. */
function consumerOfShard(
  consumer: WorkerConfig,
  queue: string,
  shard: number,
  shards: readonly number[],
): WorkerConfig {
  const renamed = (name: string) => (name === queue || name === consumer.name ? ofShard(name, shard) : name);
  return {
    ...consumer,
    name: renamed(consumer.name),
    vars: { ...consumer.vars, SHARD: String(shard) },
    services: consumer.services.map((service) => ({ ...service, service: renamed(service.service) })),
    queues: {
      producers: consumer.queues.producers.flatMap((producer) =>
        producer.queue === queue && producer.binding.endsWith('_0')
          ? perShard(producer, shards, (other) => ({ queue: ofShard(queue, other) }))
          : [{ ...producer, queue: renamed(producer.queue) }],
      ),
      consumers: consumer.queues.consumers.map((own) => ({ ...own, queue: renamed(own.queue) })),
    },
  };
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
    const given = Object.entries(vars).filter(
      ([name]) => name in worker.vars || !workers.some((other) => name in other.vars),
    );
    return { ...worker, vars: { ...worker.vars, ...Object.fromEntries(given) } };
  };
  return {
    producer: assigned(plan.producer),
    callback: assigned(plan.callback),
    consumers: plan.consumers.map(assigned),
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
