/**
 * When one more call may start, and how many could until a time: the strictest of what is configured, told and
 * learnt. Deterministic, without I/O.
 */
import { isPeriodKnown, middleMs } from './learnt.ts';
import { FIRST_MEAN_MS, type LimiterState, type OpenCall } from './limiter-state.ts';
import { longerAt, longerRoom } from './longer.ts';
import { opensAt } from './opening.ts';

/** Before anything is known, so many calls more than half of those that were let in are under way. */
const FIRST_CALLS = 2;

/** It may begin a moment later than it could. */
const LONG_PERIOD_MS = 20_000;

/** How often over that may happen soon: at the end of it a limit may stand. */
const MAX_UNSURE_TURNS = 2;

/** A start is noted when it leaves here and counted when it arrives. */
const guardMs = (periodMs: number): number => Math.min(100, 5 + periodMs * 0.005);

/** When one more call may start, Unix ms: `now`, later, or infinite when a call must end first. */
export function nextAt(state: LimiterState, now: number): number {
  const closed = state.closed;
  if (state.open.length >= mostAtOnce(state)) return Infinity;
  let at = Math.max(configuredAt(state, now), state.told.nextAt(now));
  if (closed !== undefined) {
    if (closed.probe !== undefined) return closed.probe.at + state.letInMs;
    return closed.test?.isDue ? at : Math.max(at, opensAt(state, closed));
  }
  const firstUnsure = state.open[state.letIn];
  if (firstUnsure !== undefined && state.unsure >= mostUnsure(state)) at = Math.max(at, firstUnsure.at + state.letInMs);
  return Math.max(at, learntAt(state, now), longerAt(state, now));
}

/** A call that ends may make room before the time that is known. */
export function opensByEnd(state: LimiterState): boolean {
  if (state.open.length === 0) return false;
  if (state.closed !== undefined) return state.closed.probe !== undefined || state.closed.test !== undefined;
  if (state.open.length >= mostAtOnce(state)) return true;
  return state.unsure >= mostUnsure(state);
}

/** How many calls could start until then, if as many wanted to. */
export function room(state: LimiterState, now: number, until: number): number {
  if (state.closed !== undefined) {
    if (opensAt(state, state.closed) > until) return 0;
    // When it opens is a guess: one call tries it.
    if (state.closed.until === undefined) return state.closed.probe === undefined ? 1 : 0;
  }
  const turns = Math.max(1, (until - now) / Math.max(50, state.meanMs ?? FIRST_MEAN_MS));
  const rooms: number[] = [state.told.room(until), longerRoom(state, now, until)];
  const atOnce = mostAtOnce(state);
  // It may have been by chance that a call was let in when another had ended.
  const mostTurns = state.hasTopHeld ? turns : Math.min(turns, MAX_UNSURE_TURNS);
  if (atOnce < Infinity) rooms.push(Math.floor(atOnce * mostTurns) - state.open.length);
  const { rate } = state.configured;
  if (rate !== undefined) rooms.push(state.starts.room(rate.calls, rate.periodMs, now, until));
  if (state.learnt !== undefined) {
    const { calls, periodMs } = state.learnt;
    // What has not held for a round may have been saved up: it is there once.
    rooms.push(
      Math.min(opensUnsurely(state) ? 1 : Infinity, state.starts.room(calls, periodMs, now, until)) +
        doubting(state, until),
    );
  }
  const unsure = mostUnsure(state);
  const mostUnsureTurns = state.learnt === undefined && state.uncounted !== undefined ? 1 : MAX_UNSURE_TURNS;
  if (unsure < Infinity) rooms.push(Math.floor(unsure * Math.min(turns, mostUnsureTurns)) - state.unsure);
  return Math.max(0, Math.min(...rooms));
}

/** Calls a second that it bears for good, as far as that is known. */
export function perSecond(state: LimiterState): number | undefined {
  const { configured, learnt, longer } = state;
  const { rate } = configured;
  if (learnt !== undefined && !isPeriodKnown(learnt)) return undefined;
  const rates = [
    rate === undefined ? Infinity : (rate.calls * 1_000) / rate.periodMs,
    learnt === undefined ? Infinity : (learnt.calls * 1_000) / learnt.periodMs,
    longer === undefined ? Infinity : (longer.calls * 1_000) / longer.periodMs,
    (mostAtOnce(state) * 1_000) / Math.max(1, state.meanMs ?? FIRST_MEAN_MS),
    state.told.perSecond(),
  ];
  const slowest = Math.min(...rates);
  return slowest > 0 && slowest < Infinity ? slowest : undefined;
}

/** The backend never said when a period ends, and it is long: one call shows that the next has begun. */
function opensUnsurely(state: LimiterState): boolean {
  const { learnt } = state;
  if (learnt === undefined || learnt.isTold === true || learnt.periodMs < LONG_PERIOD_MS) return false;
  return state.ofRound >= learnt.calls || state.confirmed === 0;
}

function mostAtOnce(state: LimiterState): number {
  const configured = state.configured.atOnce ?? Infinity;
  if (state.top === undefined) return configured;
  return Math.min(configured, state.top + state.doubt.step);
}

/** Calls that may be refused together when what is known turns out to be wrong. */
export function mostUnsure(state: LimiterState): number {
  if (state.configured.rate !== undefined || state.told.isAny || state.top !== undefined) return Infinity;
  if (state.learnt === undefined) {
    const { confirmed, uncounted } = state;
    // What was let in before anybody counted will be again; what goes beyond that is tried as carefully as ever.
    const beyond = uncounted && Math.max(uncounted.calls - confirmed, (confirmed - uncounted.calls) / 2);
    return FIRST_CALLS + (beyond ?? state.borne / 2);
  }
  if (state.isObserved) return Infinity;
  // A period may be over before anybody knows that its calls were let in.
  const letIn = Math.max(state.confirmed, state.letInSince);
  return FIRST_CALLS + letIn / 3;
}

function learntAt(state: LimiterState, now: number): number {
  const learnt = state.learnt;
  if (learnt === undefined) return now;
  const at = state.starts.nextAt(learnt.calls, learnt.periodMs);
  if (at <= now) return now;
  const round = state.round;
  if (round === undefined || state.ofRound < learnt.calls) return at;
  const { step } = state.doubt;
  if (step > 0 && countDoubting(state, 'calls') < step) {
    return Math.max(now, state.starts.nextAt(learnt.calls + step, learnt.periodMs));
  }
  if (!state.isPeriodDoubted || state.open.some(({ doubts }) => doubts === 'period')) return at;
  return Math.min(at, Math.max(now, round.at + middleMs(learnt)));
}

function configuredAt(state: LimiterState, now: number): number {
  const { rate } = state.configured;
  return rate === undefined
    ? now
    : Math.max(now, state.starts.nextAt(rate.calls, rate.periodMs + guardMs(rate.periodMs)));
}

/** Calls beyond the learnt limit that are wanted until then, to doubt it. */
function doubting(state: LimiterState, until: number): number {
  const learnt = state.learnt;
  if (learnt === undefined || state.round === undefined || state.ofRound < learnt.calls) return 0;
  if (state.isPeriodDoubted) return state.round.at + middleMs(learnt) <= until ? 1 : 0;
  return state.doubt.step;
}

function countDoubting(state: LimiterState, what: OpenCall['doubts']): number {
  return state.open.slice(state.letIn).filter(({ doubts }) => doubts === what).length;
}
