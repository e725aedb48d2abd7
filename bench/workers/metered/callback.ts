/** The callback Worker with its bindings metered; the cron's work is counted apart. */
import callback, {
  Ledger as RealLedger,
  RegistryRpc as RealRegistryRpc,
  ServerRegistry as RealServerRegistry,
  CallbackRpc as Rpc,
} from '../../../callback/index.ts';
import { meteredEnv, meterStorage, takeCounts } from './meter.ts';

export class ServerRegistry extends RealServerRegistry {
  constructor(context: DurableObjectState, env: object) {
    meterStorage(context.storage);
    super(context, env);
  }
}

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
