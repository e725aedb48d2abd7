/** A consumer with its bindings and its messages metered. */
import consumer, { KeyPool as RealKeyPool, SyncCall as RealSyncCall } from '../../../consumer/index.ts';
import { countingInvocations, meteredBatch, meteredEnv, meterStorage, takeCounts } from './meter.ts';

export { KeyAdmin } from '../../../consumer/index.ts';

export class KeyPool extends RealKeyPool {
  constructor(context: DurableObjectState, env: object) {
    meterStorage(context.storage);
    super(context, env);
  }
}

export class SyncCall extends RealSyncCall {
  constructor(context: ExecutionContext, env: object) {
    super(context, meteredEnv(env));
  }
}

export default {
  fetch: () => Response.json(takeCounts()),
  queue: (batch: MessageBatch<unknown>, env: object, context: ExecutionContext) =>
    countingInvocations(() => consumer.queue(meteredBatch(batch), meteredEnv(env), context)),
};
