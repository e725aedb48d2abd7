/** The callback Worker with its bindings metered; the cron's work is counted apart. */
import callback, {
  CallbackDoor as Door,
  Ledger as RealLedger,
  RegistryDoor as RealRegistryDoor,
} from '../../../callback/index.ts';
import { meteredEnv, takeCounts } from './meter.ts';

export { ServerRegistry } from '../../../callback/index.ts';

export class RegistryDoor extends RealRegistryDoor {
  constructor(context: ExecutionContext, env: object) {
    super(context, meteredEnv(env));
  }
}

export class Ledger extends RealLedger {
  constructor(context: ExecutionContext, env: object) {
    super(context, meteredEnv(env));
  }
}

export class CallbackDoor extends Door {
  constructor(context: ExecutionContext, env: object) {
    super(context, meteredEnv(env));
  }
}

export default {
  fetch: () => Response.json(takeCounts()),
  queue: (batch: MessageBatch<unknown>, env: object) => callback.queue(batch, meteredEnv(env)),
  scheduled: (controller: ScheduledController, env: object) => callback.scheduled(controller, meteredEnv(env, 'cron')),
};
