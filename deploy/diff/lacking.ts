/**
 * Secrets that Workers of a plan lack, because nobody gives them. What no Worker of the account holds can be made.
 * What another one holds cannot: an account tells no values, and a value of its own would take part in a rotation that
 * nobody wants (a new WEBHOOK_SECRET makes every receiver refuse the messages). Pure; names only.
 */
import { keyNameOf } from '../../shared/key/name.ts';
import type { AccountWorker } from '../account/account.ts';
import type { DesiredWorker } from '../desired.ts';
import type { Finding } from '../finding.ts';

export interface LackingSecrets {
  /** Needed, and nowhere in the account. */
  readonly nowhere: readonly string[];
  /** Needed, and held by other Workers alone. */
  readonly elsewhere: readonly HeldElsewhere[];
  /** Keys that would move without their values, and what works without a secret but not as the others do. */
  readonly findings: readonly Finding[];
}

export interface HeldElsewhere {
  readonly secret: string;
  /** Who has it. */
  readonly holder: string;
  /** Who needs it. */
  readonly workers: readonly string[];
}

/** @param emptied set to nothing */
export function lackingSecrets(
  workers: readonly DesiredWorker[],
  account: ReadonlyMap<string, AccountWorker>,
  provided: ReadonlySet<string>,
  emptied: ReadonlySet<string>,
): LackingSecrets {
  const lacking = workers.flatMap(({ name, secrets, requiredSecrets }) =>
    secrets
      .filter((secret) => !provided.has(secret) && account.get(name)?.secrets.has(secret) !== true)
      .map((secret) => ({ secret, worker: name, isRequired: requiredSecrets.includes(secret) }))
      // What may be missing and is set to nothing is to be taken from all.
      .filter(({ secret, isRequired }) => isRequired || !emptied.has(secret)),
  );
  const groups = [...Map.groupBy(lacking, ({ secret }) => secret)].map(([secret, all]) => ({
    secret,
    isRequired: all.some(({ isRequired }) => isRequired),
    holder: [...account.values()].find(({ secrets }) => secrets.has(secret))?.name,
    workers: all.map(({ worker }) => worker),
  }));
  const held = groups.flatMap(({ holder, ...group }) => (holder === undefined ? [] : [{ ...group, holder }]));
  const keys = held.filter(({ secret }) => keyNameOf(secret) !== undefined).map(({ secret }) => secret);
  const others = held.filter(({ secret }) => keyNameOf(secret) === undefined);
  return {
    nowhere: groups.filter(({ isRequired, holder }) => isRequired && holder === undefined).map(({ secret }) => secret),
    elsewhere: others
      .filter(({ isRequired }) => isRequired)
      .map(({ secret, holder, workers: needy }) => ({ secret, holder, workers: needy })),
    findings: [
      ...(keys.length === 0 ? [] : [movedKeys(keys)]),
      ...others.filter(({ isRequired }) => !isRequired).map(lackedByNewWorkers),
    ],
  };
}

/** The remedy for one of `elsewhere`. */
export function heldElsewhereText({ secret, holder, workers }: HeldElsewhere): string {
  const needs = `${workers.join(', ')} ${workers.length === 1 ? 'needs' : 'need'} it`;
  return `${secret}: ${needs}, and ${holder} has it but an account tells no values; set ${secret} in the environment to the value that it has`;
}

function movedKeys(keys: readonly string[]): Finding {
  return {
    kind: 'refused',
    about: keys.join(', '),
    message: 'would move to another shard, and the account tells no values; give all keys in the environment',
  };
}

function lackedByNewWorkers({ secret, holder, workers }: HeldElsewhere): Finding {
  return {
    kind: 'warning',
    about: secret,
    message: `${holder} has it, and ${workers.join(', ')} would not; set it in the environment, or to nothing to take it from all`,
  };
}
