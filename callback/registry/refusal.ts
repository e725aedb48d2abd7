/** How the registry says no. */
import type { Answered, RegistryProblemCode } from '../../shared/registry/rpc.ts';

type RegistryRefusal = Extract<Answered<never>, { ok: false }>;

export function refuse(code: RegistryProblemCode, detail: string): RegistryRefusal {
  return { ok: false, code, detail };
}

export const NO_SUCH_SERVER = refuse(
  'server-not-found',
  'There is no server with this id; it may have been silent for too long. Register it again.',
);

export function noSuchService(name: string): RegistryRefusal {
  return refuse('service-not-found', `There is no service ${name}.`);
}
