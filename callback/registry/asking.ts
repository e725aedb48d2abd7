/** Asking the registry's one object; once more when it was moved or restarted in between. */
import type { RegistryRpc } from '../../shared/registry/rpc.ts';

/** One object: what servers and calls there are is known in one place. */
const NAME = 'registry';

export interface RegistryStub extends RegistryRpc {
  /** The task has ended although its call goes on: its place is free. */
  endTask(id: string): Promise<void>;
}

/**
 * Questions are safe to repeat: a call that has its place keeps it, a registration is one per URL.
 * @throws what the object throws, and when it does not answer twice
 */
export async function askRegistry<Value>(
  namespace: DurableObjectNamespace,
  question: (registry: RegistryStub) => Promise<Value>,
): Promise<Value> {
  const stub = () => namespace.getByName(NAME) as unknown as RegistryStub;
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
