/**
 * What `wrangler.toml` may say: one section for each kind of Worker. What is not named here is refused with its name:
 * a deploy sends what it understands, and would lose the rest without a word.
 */
import * as z from 'zod';

const VarsSchema = z.record(z.string(), z.unknown());

const ServiceBindingSchema = z.strictObject({
  binding: z.string(),
  service: z.string(),
  entrypoint: z.string().optional(),
});

const QueueProducerSchema = z.strictObject({ binding: z.string(), queue: z.string() });

const QueueConsumerSchema = z.strictObject({
  queue: z.string(),
  max_batch_size: z.number().int().min(1).max(100),
  max_batch_timeout: z.number().int().min(0).max(60),
  max_retries: z.number().int().min(0).max(100),
  max_concurrency: z.number().int().min(1).max(250).optional(),
  dead_letter_queue: z.string().optional(),
  /** Seconds before a message comes again that was not acknowledged, unless the consumer says otherwise. */
  retry_delay: z.number().int().min(0).max(86_400).optional(),
});

const QueuesSchema = z.strictObject({
  producers: z.array(QueueProducerSchema).default([]),
  consumers: z.array(QueueConsumerSchema).default([]),
});

const D1Schema = z.strictObject({ binding: z.string(), database_name: z.string(), migrations_dir: z.string() });

/** Each consumer has a namespace of its own: the class lives in the Worker that binds it. */
const DurableObjectsSchema = z.strictObject({
  bindings: z.array(z.strictObject({ name: z.string(), class_name: z.string() })).default([]),
});

const BucketSchema = z.strictObject({ binding: z.string(), bucket_name: z.string() });

/** A custom domain: the whole host belongs to the Worker. Patterns of a zone are not deployed. */
const RouteSchema = z.strictObject({ pattern: z.hostname(), custom_domain: z.literal(true) });

const MigrationSchema = z.strictObject({
  tag: z.string(),
  new_sqlite_classes: z.array(z.string()).optional(),
  deleted_classes: z.array(z.string()).optional(),
  renamed_classes: z.array(z.strictObject({ from: z.string(), to: z.string() })).optional(),
});

const RuleSchema = z.strictObject({
  type: z.string(),
  globs: z.array(z.string()),
  fallthrough: z.boolean().optional(),
});

const RateLimitSchema = z.strictObject({
  name: z.string(),
  namespace_id: z.string(),
  simple: z.strictObject({ limit: z.number().int().positive(), period: z.union([z.literal(10), z.literal(60)]) }),
});

const ObservabilitySchema = z.strictObject({
  enabled: z.boolean().optional(),
  head_sampling_rate: z.number().min(0).max(1).optional(),
  logs: z
    .strictObject({
      enabled: z.boolean().optional(),
      head_sampling_rate: z.number().min(0).max(1).optional(),
      invocation_logs: z.boolean().optional(),
      persist: z.boolean().optional(),
      destinations: z.array(z.string()).optional(),
    })
    .optional(),
  traces: z
    .strictObject({
      enabled: z.boolean().optional(),
      head_sampling_rate: z.number().min(0).max(1).optional(),
      persist: z.boolean().optional(),
      destinations: z.array(z.string()).optional(),
    })
    .optional(),
});

/** Settings that every section may have, and the root for all of them. */
const SHARED = {
  compatibility_flags: z.array(z.string()).optional(),
  workers_dev: z.boolean().optional(),
  preview_urls: z.boolean().optional(),
  /** Of the bundler: whether functions have the names of the source at run time. */
  keep_names: z.boolean().optional(),
  observability: ObservabilitySchema.optional(),
  limits: z.strictObject({ cpu_ms: z.number().int().min(1).max(300_000).optional() }).optional(),
  placement: z.strictObject({ mode: z.enum(['smart', 'off']) }).optional(),
  logpush: z.boolean().optional(),
  tail_consumers: z.array(z.strictObject({ service: z.string(), environment: z.string().optional() })).optional(),
} as const;

const WorkerSectionSchema = z.strictObject({
  ...SHARED,
  name: z.string(),
  main: z.string(),
  vars: VarsSchema.default({}),
  services: z.array(ServiceBindingSchema).default([]),
  queues: QueuesSchema.prefault({}),
  d1_databases: z.array(D1Schema).default([]),
  durable_objects: DurableObjectsSchema.prefault({}),
  migrations: z.array(MigrationSchema).default([]),
  r2_buckets: z.array(BucketSchema).default([]),
  triggers: z.strictObject({ crons: z.array(z.string()).default([]) }).prefault({}),
  routes: z.array(RouteSchema).default([]),
  ratelimits: z.array(RateLimitSchema).default([]),
  rules: z.array(RuleSchema).default([]),
  secrets: z.strictObject({ required: z.array(z.string()).default([]) }).prefault({}),
});

export const WranglerFileSchema = z.strictObject({
  ...SHARED,
  name: z.string(),
  compatibility_date: z.string().regex(/^\d{4}-\d{2}-\d{2}$/, 'is a date such as 2026-10-20'),
  vars: VarsSchema.default({}),
  env: z.strictObject({ producer: WorkerSectionSchema, consumer: WorkerSectionSchema, callback: WorkerSectionSchema }),
});

export type WorkerSection = z.infer<typeof WorkerSectionSchema>;

/** One Worker's configuration as wrangler reads it, with the root's inheritable keys filled in. */
export type WorkerConfig = WorkerSection & { readonly compatibility_date: string };
