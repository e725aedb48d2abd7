/**
 * Whether a limit that clears soon is one of a few seconds rather than of a minute. The time that a
 * backend says fits some windows and not others; the longest that fits is put to the test by the one
 * key that met the limit, with a few calls after it has cleared. Pure over the pool's state.
 */

import { countStarts, type StartLog } from '../../../shared/pace/start-log.ts';
import { MINUTE_MS } from './gate.ts';
import type { Pool, Quota } from './pool.ts';

/** Windows that providers use, the longest first: a limit that fits a long one is taken for that. */
const WINDOWS_MS = [60, 45, 30, 20, 15, 12, 10, 8, 6, 5, 4, 3, 2, 1].map((seconds) => seconds * 1_000);

/** Longer ones are as well learnt a minute at a time. */
const MAX_TRIAL_WINDOW_MS = 15_000;

/** Few enough to lose. */
const MAX_TRIAL_CALLS = 8;

/** A window, and long enough for waiting tasks to come back; without any to try it on, it is let go. */
const MIN_TRIAL_MS = 3_000;

/** `Retry-After` is rounded up to seconds; a start is noted a little before it counts. */
const ROUNDED_MS = 1_100;
const LATE_MS = 250;

/** Windows are taken for a little longer than they seem, because of both. */
const MARGIN = 1.1;

/** The longest window whose oldest start leaves it when the backend says, or undefined. */
export function fittingWindowMs(starts: StartLog, resetAt: number, now: number): number | undefined {
  return WINDOWS_MS.find((windowMs) => {
    const oldest = starts.find(({ at }) => at > now - windowMs)?.at;
    if (oldest === undefined) return false;
    const clearsAt = oldest + windowMs;
    return clearsAt >= resetAt - ROUNDED_MS && clearsAt <= resetAt + LATE_MS;
  });
}

export function beginTrial(pool: Pool, quota: Quota, windowMs: number | undefined, resetAt: number, now: number): void {
  const hasFailed = pool.trial !== undefined || pool.stalls > 1;
  pool.trial = undefined;
  if (hasFailed || windowMs === undefined || windowMs > MAX_TRIAL_WINDOW_MS) return;
  const borne = Math.max(1, countStarts(quota.starts, now - windowMs));
  const calls = Math.min(borne, MAX_TRIAL_CALLS);
  pool.trial = {
    quotaId: quota.id,
    windowMs,
    borne,
    calls,
    from: now,
    until: resetAt + Math.max(MIN_TRIAL_MS, windowMs),
  };
}

/** All its calls were let in within one window; spread over a longer time they show nothing. */
export function passesTrial({ trial }: Pool, { id, starts, inFlight }: Quota, now: number): boolean {
  return (
    trial?.quotaId === id && countStarts(starts, Math.max(trial.from, now - trial.windowMs)) - inFlight >= trial.calls
  );
}

/** The calls were let in: what was borne in the short window is what every key may do in it. */
export function endTrial(pool: Pool, now: number): void {
  const { trial } = pool;
  if (trial === undefined) return;
  pool.scout = undefined;
  pool.scoutAfter = now + MINUTE_MS;
  takeWindow(pool, Math.min(MINUTE_MS, trial.windowMs * MARGIN), trial.borne, now);
}

/** What single keys had learnt of a minute does not hold in another window. */
export function takeWindow(pool: Pool, windowMs: number, calls: number, now: number): void {
  if (windowMs !== pool.windowMs) for (const quota of pool.quotas.values()) quota.learnt = undefined;
  pool.trial = undefined;
  pool.windowMs = windowMs;
  pool.proven = calls;
  pool.headroom = 1;
  pool.limitedAt = now;
}
