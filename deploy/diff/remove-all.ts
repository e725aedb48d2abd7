/**
 * The way from what an account has to nothing: first whoever takes tasks from outside, then who works on
 * them, then what they stored. Pure; what is gone already is left out, so that it can be run again.
 */
import { type Account, type NameFamily, shardOf } from '../account/account.ts';
import type { Step } from './step.ts';

export function removeAll(account: Account, family: NameFamily, keepsDatabase: boolean): Step[] {
  const why = 'everything is removed';
  const [callback, producer] = family.workers;
  const workers = [...account.workers.keys()];
  const deleted = (names: readonly string[]) =>
    names.map((worker) => ({ kind: 'delete-worker', worker, why }) as const);
  return [
    ...deleted(workers.filter((name) => name === producer)),
    ...[...account.queues.values()]
      .filter(({ consumers }) => consumers.length > 0)
      .map(({ name }) => ({ kind: 'detach-queue', queue: name, why }) as const),
    // A Worker goes before those that it is bound to.
    ...deleted(workers.filter((name) => shardOf(name, family.consumerPrefix) !== undefined)),
    ...deleted(workers.filter((name) => name === callback)),
    ...[...account.queues.keys()].map((queue) => ({ kind: 'delete-queue', queue, why }) as const),
    ...(keepsDatabase ? [] : [...account.databases.keys()]).map(
      (database) => ({ kind: 'delete-database', database, why }) as const,
    ),
    ...(keepsDatabase ? [] : [...account.buckets]).map((bucket) => ({ kind: 'delete-bucket', bucket, why }) as const),
  ];
}
