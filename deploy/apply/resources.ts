/** Queues, buckets and databases: made once, by name, whatever became of an earlier try. */
import * as z from 'zod';
import type { AccountQueue, NameFamily, QueueConsumer } from '../account/account.ts';
import type { CloudflareApi } from '../account/api.ts';
import { ApiError } from '../account/api-error.ts';
import { readDatabases, readQueue, readQueues } from '../account/read-account.ts';
import { DeployError } from '../deploy-error.ts';
import type { Step } from '../diff/step.ts';
import type { KnownIds } from './known-ids.ts';

const BucketSchema = z.looseObject({ name: z.string() });
const MadeQueueSchema = z.looseObject({ queue_id: z.string() });
const MadeDatabaseSchema = z.looseObject({ uuid: z.string() });

/** Who changes resources, of which deployment, and what it knows. */
export interface ResourceContext {
  readonly api: CloudflareApi;
  readonly family: NameFamily;
  readonly ids: KnownIds;
}

/**
 * Does what cannot be repeated blindly: after an error it looks whether it was done all the same, and
 * tries again only if not.
 */
export async function ensured(
  api: CloudflareApi,
  make: () => Promise<unknown>,
  isDone: () => Promise<boolean>,
): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await make();
      return;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (await isDone()) return;
      if (!(await api.waitAfter(error, tries))) throw error;
    }
  }
}

export async function createQueue(
  { api, family, ids }: ResourceContext,
  { queue: name, retentionSeconds }: Extract<Step, { kind: 'create-queue' }>,
): Promise<void> {
  // As `wrangler queues create --message-retention-period-secs` sends it; the official client's type has no settings here.
  const settings = { message_retention_period: retentionSeconds };
  await ensured(
    api,
    async () => {
      const { queue_id: id } = await api.post('/queues', { queue_name: name, settings }, MadeQueueSchema);
      ids.noteQueue({ name, id, consumers: [] });
    },
    async () => {
      const made = (await readQueues(api, family)).get(name);
      if (made !== undefined) ids.noteQueue(made);
      return made !== undefined;
    },
  );
}

export async function createDatabase({ api, family, ids }: ResourceContext, name: string): Promise<void> {
  await ensured(
    api,
    async () => {
      const { uuid } = await api.post('/d1/database', { name }, MadeDatabaseSchema);
      ids.noteDatabase(name, uuid);
    },
    async () => {
      const made = (await readDatabases(api, family)).get(name);
      if (made !== undefined) ids.noteDatabase(name, made.id);
      return made !== undefined;
    },
  );
}

export async function createBucket(api: CloudflareApi, name: string): Promise<void> {
  await ensured(
    api,
    () => api.post('/r2/buckets', { name }, z.unknown()),
    async () => (await api.find(`/r2/buckets/${name}`, BucketSchema)) !== undefined,
  );
}

/** R2 deletes empty buckets only, and the account's API has no way to empty one (R2, "Consistency model"). */
const NOT_EMPTY = 10_008;

/** @throws DeployError when bodies are left in it */
export async function deleteBucket(api: CloudflareApi, name: string): Promise<void> {
  try {
    await api.delete(`/r2/buckets/${name}`);
  } catch (error) {
    if (!(error instanceof ApiError) || (error.code !== NOT_EMPTY && !/not empty|isn.t empty/i.test(error.message)))
      throw error;
    throw new DeployError(
      `${name} holds bodies of tasks. Everything else is gone; empty the bucket in the dashboard (R2, its settings) and run ` +
        'this again, or keep it with --keep-database',
    );
  }
}

/** Lets a Worker take the queue's messages, or takes them with other settings. */
export async function attachQueue(
  { api, ids }: ResourceContext,
  { queue: name, worker, settings }: Extract<Step, { kind: 'attach-queue' }>,
): Promise<void> {
  const queue = ids.queue(name);
  const own = consumerIn(queue, worker);
  const body = {
    type: 'worker',
    script_name: worker,
    dead_letter_queue: settings.deadLetterQueue,
    settings: {
      batch_size: settings.batchSize,
      max_retries: settings.maxRetries,
      max_wait_time_ms: settings.maxWaitMs,
      max_concurrency: settings.maxConcurrency,
      retry_delay: settings.retryDelaySeconds,
    },
  };
  if (own !== undefined) return api.put(`/queues/${queue.id}/consumers/${own.id}`, body);
  await ensured(
    api,
    () => api.post(`/queues/${queue.id}/consumers`, body, z.unknown()),
    async () => {
      const found = await readQueue(api, queue.id);
      return found !== undefined && consumerIn(found, worker) !== undefined;
    },
  );
}

/** @throws DeployError when the queue's messages go elsewhere */
function consumerIn({ name, consumers }: AccountQueue, worker: string): QueueConsumer | undefined {
  const other = consumers.find((one) => one.worker !== worker);
  if (other === undefined) return consumers.find((one) => one.worker === worker);
  throw new DeployError(`${name} is consumed by ${other.worker ?? 'something else'}; a queue has one consumer`);
}

/** Its messages stay where they are. */
export async function detachQueue({ api, ids }: ResourceContext, name: string): Promise<void> {
  const known = ids.findQueue(name);
  // A consumer may have been attached by this very run, whose id the answer did not have to give.
  const queue = known && (await readQueue(api, known.id));
  for (const { id } of queue?.consumers ?? []) await api.delete(`/queues/${queue?.id}/consumers/${id}`);
}
