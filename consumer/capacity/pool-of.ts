/** The pool whose keys a service's calls use, as keys are found; undefined: none. */
import { poolNameOf } from '../../shared/key/name.ts';
import type { ConsumerEnv } from '../env.ts';

export function poolOf({ services }: Pick<ConsumerEnv, 'services'>, service: string): string | undefined {
  const keyPool = services[service]?.keyPool;
  return keyPool === undefined ? undefined : poolNameOf(keyPool);
}
