/**
 * Whether a limiter is closed, and when it opens: as it was told, or when a call is let in again, which tries a
 * silent backend at growing intervals. Changes the state in place, without I/O.
 */
import { lateMs, USUAL_PERIODS_MS } from './learnt.ts';
import { type Closed, FIRST_MEAN_MS, type LimiterState } from './limiter-state.ts';
import { longerSince } from './longer.ts';

/** Pauses of the calls that try a silent backend: each waits so much longer than the last. */
const FIRST_PROBE_MS = 250;
const MAX_PROBE_PAUSE_MS = 600_000;
const PROBE_GROWTH = 1.35;
const MIN_PROBE_PAUSE_MS = 100;

/** After so many calls in vain what has held is not what is used up, and another limit may be much longer. */
const HELD_FAILURES = 2;
const LONGER_GROWTH = 0.5;

/** So much of a usual period may have passed since its end: it is not worth waiting for the next one. */
const MOST_LATE = 0.2;

const MIN_TEST_MS = 200;

export function opensAt(state: LimiterState, closed: Closed): number {
  const { since, until, failures } = closed;
  if (until !== undefined) return until;
  const { firstMs, mostMs } = state.silentPause;
  const pauseMs = Math.min(mostMs, firstMs * 2 ** failures);
  const usualAt = firstMs > 0 ? usualEnd(state, since, since + pauseMs) : undefined;
  return usualAt ?? Math.max(since + pauseMs, guessedAt(state, closed));
}

/** When the period that nobody has seen end does, were it one of those that are usual; undefined when it is longer. */
function usualEnd({ learnt, round, shutMs }: LimiterState, since: number, leastAt: number): number | undefined {
  if (learnt !== undefined && learnt.periodMs < Infinity) return undefined;
  const longerMs = Math.max(shutMs, learnt?.shutMs ?? 0);
  for (const periodMs of USUAL_PERIODS_MS) {
    const at = (round?.at ?? since) + periodMs + lateMs(periodMs);
    if (periodMs > longerMs && at + MOST_LATE * periodMs >= leastAt) return Math.max(at, leastAt);
  }
  return undefined;
}

function guessedAt(state: LimiterState, { since, mayBeOfSeveral, refusedAt, held, failures }: Closed): number {
  if (held !== undefined && failures >= HELD_FAILURES) {
    const from = longerSince(state) ?? refusedAt;
    const ends = USUAL_PERIODS_MS.map((periodMs) => from + periodMs + lateMs(periodMs));
    const pauseMs = Math.max(FIRST_PROBE_MS, (since - refusedAt) * LONGER_GROWTH);
    return ends.find((at) => at >= since + FIRST_PROBE_MS) ?? since + Math.min(MAX_PROBE_PAUSE_MS, pauseMs);
  }
  const roundAt = mayBeOfSeveral === true ? refusedAt : (state.round?.at ?? since);
  const learnt = state.learnt;
  if (learnt !== undefined && learnt.periodMs < Infinity) {
    return Math.max(since + MIN_PROBE_PAUSE_MS, roundAt + learnt.periodMs);
  }
  const shutMs = Math.max(since - roundAt, 1, mayBeOfSeveral === true ? 0 : (learnt?.shutMs ?? 0));
  return since + Math.min(MAX_PROBE_PAUSE_MS, Math.max(FIRST_PROBE_MS, roundAt + shutMs * PROBE_GROWTH - since));
}

/** Where an equal has found how many calls there may be, and nobody yet for how long. */
export function closeWhenFull(state: LimiterState, now: number): void {
  if (state.closed !== undefined || state.learnt?.periodMs !== Infinity) return;
  if (state.ofRound >= state.learnt.calls)
    state.closed = { since: now, refusedAt: now, until: undefined, isCounted: false, failures: 0 };
}

/** Later, a call may be let in for any reason. */
export function dropLateTest(state: LimiterState, now: number): void {
  const closed = state.closed;
  if (closed?.test === undefined || closed.probe !== undefined) return;
  const lastsMs = Math.max(MIN_TEST_MS, 2 * (state.meanMs ?? FIRST_MEAN_MS));
  if (now > closed.since + lastsMs) closed.test = undefined;
}
