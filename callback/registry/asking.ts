/** Asking the registry's one object; once more when it was moved or restarted in between. */
import type { RegistryRpc } from '../../shared/registry/rpc.ts';
import type { ServiceRate } from '../services/service-rate.ts';

/** One object: what servers and calls there are is known in one place. */
const NAME = 'registry';
const FLOW_PREFIX = 'flows-';

/** What the callback Worker itself asks besides. */
export interface RegistryStub extends RegistryRpc {
  getServiceRates(names: readonly string[]): Promise<readonly ServiceRate[]>;
  /** The task has ended although its call goes on: its place is free. */
  endTask(id: string): Promise<void>;
}

/** @param name of the object */
export function isFlowObject(name: string | undefined): boolean {
  return name?.startsWith(FLOW_PREFIX) === true;
}

/**
 * Questions are safe to repeat: a call that has its place keeps it, a registration is one per URL.
 * @param flowShard flows are looked after by objects of their own, of the same class
 * @throws what the object throws, and when it does not answer twice
 */
export async function askRegistry<Value>(
  namespace: DurableObjectNamespace,
  question: (registry: RegistryStub) => Promise<Value>,
  flowShard?: number,
): Promise<Value> {
  const name = flowShard === undefined ? NAME : FLOW_PREFIX + flowShard;
  const stub = () => namespace.getByName(name) as unknown as RegistryStub;
  try {
    return await question(stub());
  } catch (error) {
    if (!isWorthRepeating(error)) throw error;
    return question(stub());
  }
}

/** The platform marks its own errors; an overloaded object is not asked again. */
function isWorthRepeating(error: unknown): boolean {
  const { retryable, overloaded } = (error ?? {}) as { retryable?: boolean; overloaded?: boolean };
  return retryable === true && overloaded !== true;
}
