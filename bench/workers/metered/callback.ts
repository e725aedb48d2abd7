/** The callback Worker with its bindings metered; the cron's work is counted apart. */
import callback, {
  Ledger as RealLedger,
  RegistryRpc as RealRegistryRpc,
  CallbackRpc as Rpc,
} from '../../../callback/index.ts';
import { meteredEnv, takeCounts } from './meter.ts';

export { ServerRegistry } from '../../../callback/index.ts';

export class RegistryRpc extends RealRegistryRpc {
  constructor(context: ExecutionContext, env: object) {
    super(context, meteredEnv(env));
  }
}

export class Ledger extends RealLedger {
  constructor(context: ExecutionContext, env: object) {
    super(context, meteredEnv(env));
  }
}

export class CallbackRpc extends Rpc {
  constructor(context: ExecutionContext, env: object) {
    super(context, meteredEnv(env));
  }
}

export default {
  fetch: () => Response.json(takeCounts()),
  queue: (batch: MessageBatch<unknown>, env: object) => callback.queue(batch, meteredEnv(env)),
  scheduled: (controller: ScheduledController, env: object) => callback.scheduled(controller, meteredEnv(env, 'cron')),
};
