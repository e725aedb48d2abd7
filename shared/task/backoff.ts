/**
 * How long a task waits before it tries again. Pure: the clock and the dice are handed in.
 * All delays are milliseconds and whole seconds (queues delay in seconds), rounded up.
 */

export interface RetryPolicy {
  /** Attempts in all, the first one included. Deferrals do not count. */
  readonly maxAttempts: number;
  readonly baseSeconds: number;
  readonly capSeconds: number;
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = { maxAttempts: 8, baseSeconds: 2, capSeconds: 3600 };

/**
 * Full jitter: random(0, min(cap, base × 2^(attempt − 1))), never below what the backend asked for.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 * @param attempt the attempt that just failed, from 1
 * @param random a number in [0, 1)
 */
export function retryDelayMs(policy: RetryPolicy, attempt: number, random: number, retryAfterMs = 0): number {
  const ceilingSeconds = Math.min(policy.capSeconds, policy.baseSeconds * 2 ** (attempt - 1));
  const backoffMs = wholeSeconds(random * ceilingSeconds * 1000);
  return retryAfterMs > 0 ? Math.max(backoffMs, statedDelayMs(retryAfterMs, random)) : backoffMs;
}

const STATED_FLOOR_MS = 1_000;

/**
 * A time that the backend stated is kept, however often it states it: never sooner, and later by a few
 * seconds at most, so that tasks that were told the same moment do not all come in it.
 */
function statedDelayMs(statedMs: number, random: number): number {
  const atLeast = Math.max(STATED_FLOOR_MS, statedMs);
  return wholeSeconds(atLeast) + spreadMs(Math.min(10_000, Math.max(3_000, atLeast / 10)), random);
}

/** Whole seconds from none to `mostMs`, each as likely: what is less than a second, rounding would swallow. */
function spreadMs(mostMs: number, random: number): number {
  return Math.floor(random * (Math.floor(mostMs / 1000) + 1)) * 1000;
}

const DEFERRAL_FLOOR_MS = 1_000;
const DEFERRAL_FLOOR_CAP_MS = 5 * 60_000;

/**
 * The delay of a deferral: what the backend stated; where it stated nothing, or no time at all, a floor
 * that doubles with each deferral up to five minutes, so that `Retry-After: 0` cannot spin (rule R18).
 * Up to a quarter is added to the floor at random, two seconds at least, so that tasks deferred together
 * do not come back together.
 */
export function deferralDelayMs(deferrals: number, random: number, retryAfterMs = 0): number {
  if (retryAfterMs > 0) return statedDelayMs(retryAfterMs, random);
  const floor = Math.min(DEFERRAL_FLOOR_CAP_MS, DEFERRAL_FLOOR_MS * 2 ** Math.min(deferrals, 20));
  return floor + spreadMs(Math.max(2_000, floor / 4), random);
}

/** Places that a task may be given and lose again before the floor of deferrals applies to it too. */
const FREE_PLACES = 10;

/**
 * The delay of a deferral to a moment that was kept for this task: kept to, without jitter, but for
 * the floor of a task that was placed again and again (rule R18).
 */
export function placedDelayMs(deferrals: number, waitMs: number): number {
  const floor = Math.min(
    DEFERRAL_FLOOR_CAP_MS,
    DEFERRAL_FLOOR_MS * 2 ** Math.min(Math.max(0, deferrals - FREE_PLACES), 20),
  );
  return wholeSeconds(Math.max(floor, waitMs));
}

/** How long after its expected delivery a wake-up counts as lost: a minute, doubling to an hour. */
export const GRACE_BASE_MS = 60_000;
export const GRACE_CAP_MS = 3600_000;

/** @param sends wake-ups sent since the last claim */
export function graceMs(sends: number): number {
  return doublingDelayMs(GRACE_BASE_MS, sends, GRACE_CAP_MS);
}

/**
 * When a parked task looks again by itself, should its capacity's owner have forgotten it (rule R20): not
 * before what is known, after a minute, doubling with each deferral to an hour.
 */
export function fallbackDelayMs(deferrals: number, knownWaitMs = 0): number {
  return Math.max(wholeSeconds(knownWaitMs), doublingDelayMs(GRACE_BASE_MS, deferrals, GRACE_CAP_MS));
}

/** Exponential, without jitter: for the carrier's own troubles (a failed claim, a re-send). */
export function doublingDelayMs(baseMs: number, times: number, capMs: number): number {
  return wholeSeconds(Math.min(capMs, baseMs * 2 ** Math.min(times, 30)));
}

export function wholeSeconds(ms: number): number {
  return Math.ceil(ms / 1000) * 1000;
}
