/**
 * How soon a pool has room, in two numbers that shards tell each other, and the choice of another
 * shard for a task that would wait too long here. Pure.
 */
import type { ShardOutlook } from '../../shared/ledger/contract.ts';
import { keysOf, type Pool } from './pool.ts';
import { gateOf } from './quota.ts';

export type Outlook = Omit<ShardOutlook, 'shard'>;

/** A task is not sent across for less. */
const MIN_GAIN_MS = 3_000;

export function outlookOf(pool: Pool, now: number): Outlook {
  let freeAt: number | null = null;
  let perSecond = 0;
  const seen = new Set<string>();
  for (const { key, quota } of keysOf(pool)) {
    if (key.standing.is !== 'enabled') continue;
    const gate = gateOf(pool, quota, now);
    const at = Math.max(now, gate.freeAt, quota.promisedUntil);
    if (freeAt === null || at < freeAt) freeAt = at;
    if (seen.has(quota.id)) continue;
    seen.add(quota.id);
    perSecond += 1_000 / Math.max(1, gate.spacingMs);
  }
  return { freeAt, perSecond };
}

/**
 * The shard that has room soonest, if that is well before `hereAt`. The choice takes its place there,
 * twice over: other shards may be choosing the same at the same time.
 * @param elsewhere changed in place
 */
export function bestElsewhere(
  elsewhere: ShardOutlook[],
  hereAt: number | undefined,
  now: number,
): { readonly shard: number; readonly at: number } | undefined {
  let best: { index: number; at: number } | undefined;
  for (const [index, { freeAt, perSecond }] of elsewhere.entries()) {
    if (freeAt === null || perSecond <= 0) continue;
    const at = Math.max(freeAt, now);
    if (best === undefined || at < best.at) best = { index, at };
  }
  const chosen = best && elsewhere[best.index];
  if (best === undefined || chosen === undefined) return undefined;
  if (hereAt !== undefined && hereAt - best.at < MIN_GAIN_MS) return undefined;
  elsewhere[best.index] = { ...chosen, freeAt: best.at + 2_000 / chosen.perSecond };
  return { shard: chosen.shard, at: best.at };
}
