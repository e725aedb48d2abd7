/**
 * A consumer: takes batches from its shard's queue, calls the backends, and has every outcome
 * recorded. It has no public address and no database; what it learns it tells the ledger.
 */
import { MisconfiguredError } from '../shared/env.ts';
import { logError } from '../shared/log.ts';
import { deliveryDelayMs } from '../shared/message/delivery.ts';
import { problemResponse } from '../shared/problem/problem.ts';
import { runBatch } from './batch.ts';
import { type ConsumerEnv, readEnv } from './env.ts';

export { KeyAdmin } from './keys/pool/key-admin.ts';
export { KeyPool } from './keys/pool/key-pool.ts';
export { SyncCall } from './sync/sync-call.ts';

export default {
  fetch: () => problemResponse('not-found', { detail: 'This Worker is reached through its queue.' }),

  async queue(batch: MessageBatch<unknown>, bindings: object, context: ExecutionContext): Promise<void> {
    const env = readEnvOrRetry(bindings, batch);
    const backlog = batch.metadata?.metrics?.backlogCount ?? 0;
    if (env !== undefined) await runBatch(env, batch.messages, backlog, (work) => context.waitUntil(work));
  },
} satisfies ExportedHandler<object>;

/** A consumer that is not configured keeps its messages for the one that will be. */
function readEnvOrRetry(bindings: object, batch: MessageBatch<unknown>): ConsumerEnv | undefined {
  try {
    return readEnv(bindings);
  } catch (error) {
    if (!(error instanceof MisconfiguredError)) throw error;
    logError('consumer.misconfigured', { problems: error.problems });
    for (const message of batch.messages) message.retry({ delaySeconds: deliveryDelayMs(message.attempts) / 1000 });
    return undefined;
  }
}
