/** What the callback Worker is given, checked. Nothing else in this room reads a variable by name. */
import * as z from 'zod';
import { reportSecret, type SecretReport } from '../shared/auth/secret-strength.ts';
import { importMacKey, type MacKey } from '../shared/crypto/mac.ts';
import { MisconfiguredError, numberedBindings, parseEnv, SecretSchema } from '../shared/env.ts';
import { type KeyShards, KeyShardsSchema } from '../shared/key/shards.ts';
import type { TaskMessage } from '../shared/message/task-message.ts';
import { StoreLimitSchema, type Stores, storesIn } from '../shared/store/stores.ts';
import { Statistics } from './statistics.ts';

/**
 * Twelve days: the longest deadline (seven) and the queue's retention (four) and one to spare, so
 * that a row outlives every message of its task (rule R6).
 */
const MIN_RETENTION_DAYS = 12;

const DAY_MS = 86_400_000;

const EnvSchema = z.object({
  CALLBACK_SECRET: SecretSchema,
  CALLBACK_SECRET_PREVIOUS: SecretSchema.optional(),
  RETENTION_DAYS: z.coerce
    .number({ error: 'is a number of days' })
    .min(MIN_RETENTION_DAYS, {
      error: `is at least ${MIN_RETENTION_DAYS}: a row must outlive every message of its task`,
    })
    .default(30),
  BODY_RETENTION_DAYS: z.coerce
    .number({ error: 'is a number of days' })
    .min(0, { error: 'is a number of days, 0 or more' })
    .default(3),
  STORE_LIMIT_BYTES: StoreLimitSchema,
  KEY_SHARDS: KeyShardsSchema,
});

export interface ShardQueue {
  readonly shard: number;
  readonly queue: Queue<TaskMessage>;
}

export interface CallbackEnv {
  readonly stores: Stores;
  /** Bodies that are too large for a row; undefined where the deployment has no bucket. */
  readonly bodies: R2Bucket | undefined;
  readonly taskQueues: readonly ShardQueue[];
  /** By pool. */
  readonly keyShards: KeyShards;
  readonly deadQueue: Queue<TaskMessage>;
  readonly tokenKey: MacKey;
  /** How the secret looks, and whether a rotation of it is under way. */
  readonly secretReport: SecretReport;
  readonly hasPreviousSecret: boolean;
  readonly retentionMs: number;
  /** From a task's end; what is longer than `retentionMs` means that bodies go with their rows. */
  readonly bodyRetentionMs: number;
  /** What one store may hold. */
  readonly storeLimitBytes: number;
  /** Of the class `ServerRegistry`. */
  readonly serverRegistry: DurableObjectNamespace;
  /** What this isolate has counted and not yet written. */
  readonly statistics: Statistics;
}

/** For work on tasks of one store. */
export interface StoreEnv extends CallbackEnv {
  readonly db: D1Database;
}

interface Bindings {
  readonly BODIES?: R2Bucket;
  readonly DEAD_QUEUE?: Queue<TaskMessage>;
  readonly SERVER_REGISTRY?: DurableObjectNamespace;
}

const parsedEnvs = new WeakMap<object, CallbackEnv>();

/** @throws MisconfiguredError */
export async function readEnv(env: object): Promise<CallbackEnv> {
  const known = parsedEnvs.get(env);
  if (known !== undefined) return known;
  const vars = parseEnv(EnvSchema, env);
  const { DEAD_QUEUE, SERVER_REGISTRY, BODIES } = env as Bindings;
  const stores = storesIn(env);
  const taskQueues = numberedBindings<Queue<TaskMessage>>(env, 'TASK_QUEUE_').map(
    ({ index: shard, binding: queue }): ShardQueue => ({ shard, queue }),
  );
  if (DEAD_QUEUE === undefined || SERVER_REGISTRY === undefined || taskQueues.length === 0) {
    throw new MisconfiguredError([
      'the bindings DEAD_QUEUE, SERVER_REGISTRY and TASK_QUEUE_0 are needed; deploy with `npm run deploy`',
    ]);
  }
  const parsed: CallbackEnv = {
    stores,
    bodies: BODIES,
    deadQueue: DEAD_QUEUE,
    taskQueues,
    keyShards: vars.KEY_SHARDS,
    tokenKey: await importMacKey(vars.CALLBACK_SECRET, vars.CALLBACK_SECRET_PREVIOUS),
    secretReport: await reportSecret('CALLBACK_SECRET', vars.CALLBACK_SECRET),
    hasPreviousSecret: vars.CALLBACK_SECRET_PREVIOUS !== undefined,
    retentionMs: vars.RETENTION_DAYS * DAY_MS,
    bodyRetentionMs: vars.BODY_RETENTION_DAYS * DAY_MS,
    storeLimitBytes: vars.STORE_LIMIT_BYTES,
    serverRegistry: SERVER_REGISTRY,
    statistics: new Statistics(),
  };
  parsedEnvs.set(env, parsed);
  return parsed;
}
