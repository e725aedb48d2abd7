/**
 * How a pool learns what its keys bear. Where no limit is known, none is guessed: no key does more
 * calls a minute than one key has been seen to bear, except the scout, which goes a little ahead. So
 * when a limit comes up, one key meets it, by a few calls, and the others stop before it. Pure over the
 * pool's state.
 */
import type { ShardOutlook } from '../../../shared/ledger/contract.ts';
import { countStarts } from '../../../shared/pace/start-log.ts';
import { allowedPerMinute, hasKnownLimit, LEARNT_HOLDS_MS, LET_IN_MS, MINUTE_MS } from './gate.ts';
import type { Pool, Quota } from './pool.ts';
import { beginTrial, endTrial, fittingWindowMs, passesTrial, takeWindow } from './trial.ts';

/** Beyond proven calls, a scout goes this much further once that is more than it was at first. */
const HEADROOM_SHARE = 0.15;
const MIN_MAX_HEADROOM = 6;

/** A limit that clears within this, with this little of what was expected used, is about bursts. */
const BURST_CLEARS_MS = 2_500;
const BURST_SHARE = 0.9;
/** Halves the gap in about 700 calls. */
const GAP_EASE = 0.999;
const MIN_GAP_MS = 20;

const MAX_SCOUT_PAUSE_MS = 60 * MINUTE_MS;

/** The quota that goes ahead: the one that is ahead already, so that the others stay behind it. */
export function chooseScout(pool: Pool, candidates: readonly Quota[], now: number): void {
  if (pool.trial !== undefined && pool.trial.until <= now) pool.trial = undefined;
  if (pool.scoutAfter > now || pool.trial !== undefined) {
    pool.scout = undefined;
    return;
  }
  const free = candidates.filter((quota) => !hasKnownLimit(pool, quota) && (quota.cooling?.until ?? 0) <= now);
  if (free.some(({ id }) => id === pool.scout)) return;
  const used = (quota: Quota) => countStarts(quota.starts, now - pool.windowMs);
  pool.scout = free.reduce<Quota | undefined>(
    (first, quota) => (first === undefined || used(quota) > used(first) ? quota : first),
    undefined,
  )?.id;
}

/** Calls of the last window that were let in. */
function borne({ starts, inFlight }: Quota, windowMs: number, now: number): number {
  return countStarts(starts, now - windowMs) - Math.min(inFlight, countStarts(starts, now - LET_IN_MS));
}

/** Calls that were let in raise what is proven; a scout that used its whole headroom may go further. */
export function noteProven(pool: Pool, quota: Quota, now: number): void {
  if (hasKnownLimit(pool, quota)) return;
  if (passesTrial(pool, quota, now)) {
    endTrial(pool, now);
    return;
  }
  const bore = borne(quota, pool.windowMs, now);
  if (bore <= pool.proven || pool.trial !== undefined) return;
  pool.stalls = 0;
  if (bore >= pool.proven + pool.headroom) {
    pool.headroom = Math.min(pool.headroom * 2, Math.max(MIN_MAX_HEADROOM, Math.ceil(HEADROOM_SHARE * bore)));
  }
  pool.proven = bore;
}

/**
 * A rate limit came up. One that clears at once and came before its time is about calls in quick
 * succession: they are spaced out. Otherwise the scout's is what the pool bears; another key's is its
 * own, unless it is so far below that it was not this window's calls that used it up.
 * @param resetAt as the backend said; undefined: it said nothing
 * @param until when the quota has cooled
 */
export function learnLimit(pool: Pool, quota: Quota, resetAt: number | undefined, until: number, now: number): void {
  const isKnown = hasKnownLimit(pool, quota);
  const fittingMs = resetAt === undefined ? undefined : fittingWindowMs(quota.starts, resetAt, now);
  if (!isKnown && pool.windowMs < MINUTE_MS) {
    correctWindow(pool, quota, fittingMs, until, now);
    return;
  }
  // A refusal comes sooner than a result: what is still under way was let in.
  const bore = Math.max(1, countStarts(quota.starts, now - MINUTE_MS));
  const expected = allowedPerMinute(pool, quota, now, pool.headroom);
  if (until - now <= BURST_CLEARS_MS && bore < BURST_SHARE * (isKnown ? expected : pool.proven)) {
    if (pool.gapSetAt > now - BURST_CLEARS_MS) return;
    pool.gapMs = widerGapMs(pool.gapMs, quota, isKnown ? MINUTE_MS / expected : until - now, now);
    pool.gapSetAt = now;
    return;
  }
  if (!isKnown && (quota.id === pool.scout || pool.trial?.quotaId === quota.id || bore > pool.proven)) {
    // The first time it tries again at once, then less and less often: limits rarely change.
    const pauseMs = pool.stalls === 0 ? 0 : Math.min(MAX_SCOUT_PAUSE_MS, MINUTE_MS * 2 ** (pool.stalls - 1));
    const clearAt = Math.min(until, now + 2 * MINUTE_MS);
    pool.stalls += 1;
    meetLimit(pool, Math.max(bore, Math.floor(pool.proven / 2)), clearAt + pauseMs, now);
    pool.limitedBy = quota.id;
    beginTrial(pool, quota, fittingMs, until, now);
    return;
  }
  if (bore * 2 >= expected || (quota.learnt !== undefined && now - quota.learnt.at < LEARNT_HOLDS_MS)) {
    quota.learnt = { perMinute: Math.max(bore, Math.floor(expected / 2)), at: now };
  }
}

/** A short window was too generous: a little less, or a minute after all. */
function correctWindow(pool: Pool, quota: Quota, fittingMs: number | undefined, until: number, now: number): void {
  const isLonger = fittingMs === undefined ? until - now > 2 * pool.windowMs + 1_000 : fittingMs > 2 * pool.windowMs;
  if (isLonger) pool.windowMs = MINUTE_MS;
  const bore = Math.max(1, countStarts(quota.starts, now - pool.windowMs));
  meetLimit(pool, isLonger ? bore : Math.max(1, Math.floor(pool.proven * 0.9)), until + MINUTE_MS, now);
}

/** One more of the calls that were under way when the limit came up was refused after all. */
export function correctLimit(pool: Pool, quota: Quota): void {
  if (pool.limitedBy === quota.id) pool.proven = Math.max(1, pool.proven - 1);
}

/** At half the pace that was refused, at first; never slower than `slowestMs`. */
function widerGapMs(gapMs: number, { starts }: Quota, slowestMs: number, now: number): number {
  if (gapMs > 0) return Math.min(slowestMs, gapMs * 2);
  const burst = countStarts(starts, now - slowestMs);
  return Math.min(slowestMs, (2 * slowestMs) / Math.max(1, burst));
}

function meetLimit(pool: Pool, calls: number, scoutAfter: number, now: number): void {
  pool.proven = calls;
  pool.headroom = 1;
  pool.limitedAt = now;
  pool.scout = undefined;
  pool.scoutAfter = Math.max(pool.scoutAfter, scoutAfter);
}

/** What the pool bore when it met its limit of late; null: it has met none. */
export function metLimit(pool: Pool, now: number): ShardOutlook['bears'] {
  return pool.limitedAt > now - LEARNT_HOLDS_MS ? { calls: pool.proven, windowMs: pool.windowMs } : null;
}

/** Another shard has met the limit of keys like these: this one need not run into it too. */
export function takeWarning(pool: Pool, bears: NonNullable<ShardOutlook['bears']>, now: number): void {
  const isNews = metLimit(pool, now) === null ? pool.proven <= bears.calls : bears.windowMs < pool.windowMs;
  if (!isNews && bears.windowMs >= pool.windowMs) return;
  takeWindow(pool, bears.windowMs, bears.calls, now);
  meetLimit(pool, bears.calls, now + MINUTE_MS, now);
}

/** A call that worked lets the next ones follow a little closer, down to no gap at all. */
export function easeGap(pool: Pool): void {
  if (pool.gapMs === 0) return;
  pool.gapMs *= GAP_EASE;
  if (pool.gapMs < MIN_GAP_MS) pool.gapMs = 0;
}
