/** Ends a call of a block: the key and its quota are free for another. Pure. */
import type { Block, Key, Pool, Quota } from './pool.ts';

export function release(
  pool: Pool,
  block: Block | undefined,
  task: string,
): { readonly key: Key; readonly quota: Quota; readonly wasProbe: boolean } | undefined {
  const fingerprint = block?.open.get(task);
  const key = fingerprint === undefined ? undefined : pool.keys.get(fingerprint);
  const quota = key && pool.quotas.get(key.quotaId);
  if (key === undefined || quota === undefined) return undefined;
  block?.open.delete(task);
  key.inFlight = Math.max(0, key.inFlight - 1);
  quota.inFlight = Math.max(0, quota.inFlight - 1);
  const wasProbe = key.prober === task;
  if (wasProbe) key.prober = undefined;
  return { key, quota, wasProbe };
}
