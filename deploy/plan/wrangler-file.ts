/**
 * What `wrangler.toml` says, as far as the plan reads it: one section for each kind of Worker. Sections
 * that are not named here pass through; who runs or deploys a Worker refuses those that it cannot honour.
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
  max_concurrency: z.number().int().min(1).max(250).optional(),
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

const BucketSchema = z.looseObject({ binding: z.string(), bucket_name: z.string() });

/** A custom domain: the whole host belongs to the Worker. Patterns of a zone are not deployed. */
const RouteSchema = z.strictObject({ pattern: z.hostname(), custom_domain: z.literal(true) });

const MigrationSchema = z.looseObject({ tag: z.string() });

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
  migrations: z.array(MigrationSchema).default([]),
  r2_buckets: z.array(BucketSchema).default([]),
  triggers: z.looseObject({ crons: z.array(z.string()).default([]) }).prefault({}),
  routes: z.array(RouteSchema).default([]),
  workers_dev: z.boolean().optional(),
  preview_urls: z.boolean().optional(),
  rules: z.array(RuleSchema).default([]),
  secrets: z.strictObject({ required: z.array(z.string()).default([]) }).prefault({}),
});

export const WranglerFileSchema = z.looseObject({
  name: z.string(),
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()).optional(),
  vars: VarsSchema.default({}),
  env: z.strictObject({ producer: WorkerSectionSchema, consumer: WorkerSectionSchema, callback: WorkerSectionSchema }),
});

export type WorkerSection = z.infer<typeof WorkerSectionSchema>;

/** One Worker's configuration as wrangler reads it, with the root's inheritable keys filled in. */
export type WorkerConfig = WorkerSection & {
  readonly compatibility_date: string;
  readonly compatibility_flags?: string[] | undefined;
};
