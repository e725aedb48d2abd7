/** The callback Worker with stores that can be taken away. */
import callback, {
  CallbackDoor as Door,
  Ledger as RealLedger,
  RegistryDoor as RealRegistryDoor,
  ServerRegistry as RealServerRegistry,
} from '../../../callback/index.ts';
import { gatedEnv, setGate } from './gate.ts';

export class ServerRegistry extends RealServerRegistry {
  constructor(state: DurableObjectState, env: object) {
    super(state, gatedEnv(env));
  }
}

export class RegistryDoor extends RealRegistryDoor {
  constructor(context: ExecutionContext, env: object) {
    super(context, gatedEnv(env));
  }
}

export class Ledger extends RealLedger {
  constructor(context: ExecutionContext, env: object) {
    super(context, gatedEnv(env));
  }
}

export class CallbackDoor extends Door {
  constructor(context: ExecutionContext, env: object) {
    super(context, gatedEnv(env));
  }
}

export default {
  fetch: setGate,
  queue: (batch: MessageBatch<unknown>, env: object) => callback.queue(batch, gatedEnv(env)),
  scheduled: (controller: ScheduledController, env: object) => callback.scheduled(controller, gatedEnv(env)),
};
