/**
 * Where in the time to come a task that waits is put. Promised starts are spaced out, so that tasks
 * return one by one and not at once. Pure.
 */

import { countUntil } from '../../../shared/pace/start-log.ts';
import { callPauseMs, explorePauseMs, type Gate, isLoose } from './gate.ts';
import type { Pool, Quota } from './pool.ts';

/** Where nothing else spaces them, this many waiting tasks return to a quota while a call lasts. */
const MAX_RETURNS_A_PAUSE = 32;

const MAX_DOUBLINGS = 6;

/** Who would wait beyond a trial comes back when it is over, within this time. */
const TRIAL_SPREAD_MS = 2_000;

/**
 * When one more task can have a start of its own on this quota.
 * @param isBusy the key has as many calls under way as it may
 */
export function placeAt(pool: Pool, quota: Quota, gate: Gate, isBusy: boolean, now: number): number {
  const pauseMs = callPauseMs(pool);
  const spacingMs = Math.max(gate.spacingMs, pauseMs / MAX_RETURNS_A_PAUSE);
  const inLine = countUntil(quota.promised, Number.POSITIVE_INFINITY);
  if (isLoose(pool, quota, gate, now) && (gate.nextAt > now || isBusy)) {
    return now + explorePauseMs(pool) + inLine * spacingMs;
  }
  // The calls of a trial belong together.
  const { trial } = pool;
  if (trial?.quotaId === quota.id && inLine < trial.calls) return Math.max(gate.nextAt, now);
  const last = quota.promised.at(-1)?.at;
  return Math.max(gate.nextAt, isBusy ? now + pauseMs : now, last === undefined ? 0 : last + spacingMs);
}

/**
 * While limits are found out much more may be known in a moment: nobody is sent far away, who has
 * waited often further than who has not.
 * @param at as `placeAt` said
 */
export function returnAt(
  pool: Pool,
  quota: Quota,
  gate: Gate,
  at: number,
  waits: number,
  looseElsewhere: boolean,
  now: number,
): number {
  const { trial } = pool;
  if (trial !== undefined && at > trial.until) return trial.until + ((at - trial.until) % TRIAL_SPREAD_MS);
  const pauseMs = explorePauseMs(pool);
  if ((!looseElsewhere && !isLoose(pool, quota, gate, now)) || at <= now + pauseMs) return at;
  return now + pauseMs + ((at - now - pauseMs) % (pauseMs * 2 ** Math.min(waits + 1, MAX_DOUBLINGS)));
}
