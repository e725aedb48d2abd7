/**
 * Which secrets are written and which are taken away. The account tells names and never values, so what
 * is given is always written; what is not given stays, except API keys that are gone from a list of keys
 * that is given, and what is set to nothing. Pure.
 */
import { keyNameOf } from '../../shared/key/name.ts';
import type { AccountWorker } from '../account/account.ts';
import type { DesiredWorker } from '../desired.ts';
import type { DiffInput } from './diff-input.ts';
import type { Step } from './step.ts';

export function providedSecrets({ provided }: DiffInput, { secrets }: DesiredWorker): string[] {
  return secrets.filter((secret) => provided.has(secret));
}

/** For a Worker that is not uploaded: an upload carries them. */
export function secretsToSet(input: DiffInput, worker: DesiredWorker, existing: AccountWorker): Step[] {
  const names = providedSecrets(input, worker);
  if (names.length === 0) return [];
  const parts = [
    ['new', names.filter((secret) => !existing.secrets.has(secret))],
    ['written again', names.filter((secret) => existing.secrets.has(secret))],
  ] as const;
  const why = parts.flatMap(([what, some]) => (some.length > 0 ? [`${what}: ${some.join(', ')}`] : [])).join('; ');
  return [{ kind: 'put-secrets', worker: worker.name, names, why }];
}

/** Taken away once the Worker is told that it has them no more. */
export function secretsToRemove(
  { emptied, keepsKeys }: DiffInput,
  { name, secrets, requiredSecrets }: DesiredWorker,
  existing: AccountWorker | undefined,
): Step[] {
  const names = [...(existing?.secrets ?? [])].filter((secret) =>
    keyNameOf(secret) === undefined
      ? emptied.has(secret) && !requiredSecrets.includes(secret)
      : !keepsKeys && !secrets.includes(secret),
  );
  if (names.length === 0) return [];
  return [{ kind: 'remove-secrets', worker: name, names, why: names.join(', ') }];
}
