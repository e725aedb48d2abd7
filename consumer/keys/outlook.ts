/**
 * How much room a pool has and how soon more, in three numbers that shards tell each other, and the choice of another
 * shard for a task that would wait too long here. Pure.
 */
import type { ShardOutlook } from '../../shared/ledger/contract.ts';
import { keysOf, type Pool, type Quota } from './pool.ts';
import { callPauseMs, explorePauseMs, type Gate, gateOf, isExploring, metLimit } from './quota.ts';
import { countUntil } from './start-log.ts';

export type Outlook = Omit<ShardOutlook, 'shard'>;

/** Where nothing else spaces them, this many waiting tasks return to a quota while a call lasts. */
const MAX_RETURNS_A_PAUSE = 32;

const MAX_DOUBLINGS = 6;

/** A task is not sent across for less. */
const MIN_GAIN_MS = 3_000;

/**
 * When a task that waits can have a start of its own on this quota: promised starts are spaced out, so
 * that tasks return one by one and not at once.
 * @param isBusy the key has as many calls under way as it may
 */
export function placeAt(pool: Pool, quota: Quota, gate: Gate, isBusy: boolean, now: number): number {
  const pauseMs = callPauseMs(pool);
  const spacingMs = Math.max(gate.spacingMs, pauseMs / MAX_RETURNS_A_PAUSE);
  if (isExploring(pool, quota, now) && (gate.nextAt > now || isBusy)) {
    return now + explorePauseMs(pool) + countUntil(quota.promised, Number.POSITIVE_INFINITY) * spacingMs;
  }
  const last = quota.promised.at(-1)?.at;
  return Math.max(gate.nextAt, isBusy ? now + pauseMs : now, last === undefined ? 0 : last + spacingMs);
}

/**
 * While limits are found out much more may be known in a moment: nobody is sent far away, who has
 * waited often further than who has not.
 */
export function returnAt(pool: Pool, quota: Quota, at: number, waits: number, now: number): number {
  const pauseMs = explorePauseMs(pool);
  if (!isExploring(pool, quota, now) || at <= now + pauseMs) return at;
  return now + pauseMs + ((at - now - pauseMs) % (pauseMs * 2 ** Math.min(waits + 1, MAX_DOUBLINGS)));
}

export function outlookOf(pool: Pool, now: number): Outlook {
  let room = 0;
  let freeAt: number | null = null;
  let perSecond = 0;
  const seen = new Set<string>();
  for (const { key, quota } of keysOf(pool)) {
    if (key.standing.is !== 'enabled' || seen.has(quota.id)) continue;
    seen.add(quota.id);
    const gate = gateOf(pool, quota, now);
    if (!isExploring(pool, quota, now)) {
      const at = placeAt(pool, quota, { ...gate, nextAt: gate.thenAt }, false, now);
      if (freeAt === null || at < freeAt) freeAt = at;
    }
    room += Math.floor(Math.max(0, Math.min(gate.room, key.concurrency - key.inFlight)));
    perSecond += 1_000 / Math.max(1, gate.spacingMs);
  }
  return { room, freeAt, perSecond, bears: metLimit(pool, now) };
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
  for (const [index, { room, freeAt, perSecond }] of elsewhere.entries()) {
    if (room === 0 && (freeAt === null || perSecond <= 0)) continue;
    const at = room > 0 ? now : Math.max(freeAt ?? now, now);
    if (best === undefined || at < best.at) best = { index, at };
  }
  const chosen = best && elsewhere[best.index];
  if (best === undefined || chosen === undefined) return undefined;
  if (hereAt !== undefined && hereAt - best.at < MIN_GAIN_MS) return undefined;
  elsewhere[best.index] =
    chosen.room > 0
      ? { ...chosen, room: Math.max(0, chosen.room - 2) }
      : { ...chosen, freeAt: best.at + 2_000 / chosen.perSecond };
  return { shard: chosen.shard, at: best.at };
}
