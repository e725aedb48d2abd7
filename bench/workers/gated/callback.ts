/** The callback Worker with stores that can be taken away. */
import callback, {
  Ledger as RealLedger,
  RegistryRpc as RealRegistryRpc,
  ServerRegistry as RealServerRegistry,
  CallbackRpc as Rpc,
} from '../../../callback/index.ts';
import { gatedEnv, setGate } from './gate.ts';

export class ServerRegistry extends RealServerRegistry {
  constructor(state: DurableObjectState, env: object) {
    super(state, gatedEnv(env));
  }
}

export class RegistryRpc extends RealRegistryRpc {
  constructor(context: ExecutionContext, env: object) {
    super(context, gatedEnv(env));
  }
}

export class Ledger extends RealLedger {
  constructor(context: ExecutionContext, env: object) {
    super(context, gatedEnv(env));
  }
}

export class CallbackRpc extends Rpc {
  constructor(context: ExecutionContext, env: object) {
    super(context, gatedEnv(env));
  }
}

export default {
  fetch: setGate,
  queue: (batch: MessageBatch<unknown>, env: object) => callback.queue(batch, gatedEnv(env)),
  scheduled: (controller: ScheduledController, env: object) => callback.scheduled(controller, gatedEnv(env)),
};
