/** Queues, buckets and databases: made once, by name, whatever became of an earlier try. */
import * as z from 'zod';
import type { NameFamily } from '../account/account.ts';
import { ApiError, type CloudflareApi } from '../account/api.ts';
import { readDatabases, readQueues } from '../account/read-account.ts';
import { DeployError } from '../deploy-error.ts';
import type { Step } from '../diff/step.ts';

const BucketSchema = z.looseObject({ name: z.string() });

/** Four days, the longest that `shared/message/delivery.ts` counts on; the platform's default for paid plans. */
const RETENTION_SECONDS = 4 * 86_400;

/** How often something that may have landed is looked for and tried again. */
const TRIES = 3;

/**
 * Does what cannot be repeated blindly: after an error it looks whether it was done all the same, and
 * tries again only if not.
 */
export async function ensured(make: () => Promise<unknown>, isDone: () => Promise<boolean>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await make();
      return;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (await isDone()) return;
      if (!error.isPassing || tries === TRIES) throw error;
    }
  }
}

export async function createQueue(api: CloudflareApi, family: NameFamily, name: string): Promise<void> {
  await ensured(
    () => api.post('/queues', { queue_name: name, settings: { message_retention_period: RETENTION_SECONDS } }),
    async () => (await readQueues(api, family)).has(name),
  );
}

export async function createDatabase(api: CloudflareApi, family: NameFamily, name: string): Promise<void> {
  await ensured(
    () => api.post('/d1/database', { name }),
    async () => (await readDatabases(api, family)).has(name),
  );
}

export async function createBucket(api: CloudflareApi, name: string): Promise<void> {
  await ensured(
    () => api.post('/r2/buckets', { name }),
    async () => (await api.find(`/r2/buckets/${name}`, BucketSchema)) !== undefined,
  );
}

/** Lets a Worker take the queue's messages, or takes them with other settings. */
export async function attachQueue(
  api: CloudflareApi,
  family: NameFamily,
  { queue: name, worker, settings }: Extract<Step, { do: 'attach-queue' }>,
): Promise<void> {
  const find = async () => {
    const queue = (await readQueues(api, family)).get(name);
    if (queue === undefined) throw new DeployError(`the queue ${name} is gone`);
    return { id: queue.id, consumer: queue.consumers.find((consumer) => consumer.worker === worker), queue };
  };
  const { id, consumer, queue } = await find();
  const other = queue.consumers.find((one) => one.worker !== worker);
  if (other !== undefined) {
    throw new DeployError(`${name} is consumed by ${other.worker ?? 'something else'}; a queue has one consumer`);
  }
  const body = {
    type: 'worker',
    script_name: worker,
    dead_letter_queue: settings.deadLetterQueue,
    settings: {
      batch_size: settings.batchSize,
      max_retries: settings.maxRetries,
      max_wait_time_ms: settings.maxWaitMs,
      max_concurrency: settings.maxConcurrency,
    },
  };
  if (consumer !== undefined) return api.put(`/queues/${id}/consumers/${consumer.id}`, body);
  await ensured(
    () => api.post(`/queues/${id}/consumers`, body),
    async () => (await find()).consumer !== undefined,
  );
}

/** Its messages stay where they are. */
export async function detachQueue(api: CloudflareApi, family: NameFamily, name: string): Promise<void> {
  const queue = (await readQueues(api, family)).get(name);
  for (const { id } of queue?.consumers ?? []) await api.delete(`/queues/${queue?.id}/consumers/${id}`);
}
