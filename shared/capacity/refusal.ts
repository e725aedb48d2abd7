/**
 * What a refusal says: a limit is met for the first time, is lower than it was, stands where it was doubted, or
 * has not ended where a call tried it. Changes the state in place, without I/O.
 */
import { firstLearnt, shutAt } from './learnt.ts';
import type { Closed, LimiterState, OpenCall } from './limiter-state.ts';

/** A wait this short may be one for calls at a time: those are told a second, whatever the limit. */
const MAX_TEST_WAIT_MS = 2_000;

/** What is told of a longer time is no period to be learnt: it is only waited for. */
const MAX_LEARNT_PERIOD_MS = 120_000;

/** Numbers this close to each other are the same. */
const SAME_SHARE = 0.9;

export function refuse(state: LimiterState, call: OpenCall, until: number | undefined, now: number): void {
  state.starts.remove(call.at);
  const closed = state.closed;
  if (closed !== undefined) {
    if (closed.probe === call) probeFailed(state, closed, call, until, now);
    else refusedToo(state, closed, until);
    return;
  }
  // It was under way when an earlier refusal was noted.
  if (call.at <= state.strikeAt) return;
  state.strikeAt = now;
  if (call.doubts !== undefined && doubtFailed(state, call, until)) return;
  const others = state.open.length;
  if (state.top !== undefined) {
    state.isTopRefuted = others < state.top;
    state.top = undefined;
  }
  const count = learn(state, call, until, now);
  const isTestable = !state.isTopRefuted && others > 0 && count > others;
  const isShort = until === undefined || until - now <= MAX_TEST_WAIT_MS;
  state.closed = {
    since: now,
    until,
    isCounted: count > 0,
    failures: 0,
    ...(isTestable && isShort && { test: { others, isDue: false } }),
  };
}

/** @returns the calls of this round; 0 where they say nothing of the limit */
function learn(state: LimiterState, call: OpenCall, until: number | undefined, now: number): number {
  state.round ??= { at: call.at, previousAt: undefined };
  const { at: roundAt, previousAt } = state.round;
  const count = state.ofRound;
  const learnt = state.learnt;
  if (count === 0 && previousAt !== undefined && learnt !== undefined) {
    // The first call of a round: the period before has not ended.
    state.round = { at: previousAt, previousAt: undefined };
    state.learnt = shutAt(learnt, call.at - previousAt, until && until - previousAt);
    return 0;
  }
  const isLong = until !== undefined && until - now > MAX_LEARNT_PERIOD_MS;
  if (count === 0 || isLong) return 0;
  const toldMs = until && until - roundAt;
  const { uncounted } = state;
  state.uncounted = undefined;
  // As many as were let in before they were counted: that is a limit. Of those that are open some may be refused too.
  const isRepeated = uncounted !== undefined && count >= SAME_SHARE * uncounted.calls;
  state.learnt =
    learnt === undefined
      ? firstLearnt(count, Math.max(call.at - roundAt, state.shutMs), toldMs, isRepeated ? uncounted.openMs : undefined)
      : { ...learnt, calls: count };
  if (state.isObserved && !state.doubt.isRaised) state.doubt.restart();
  else state.doubt.fail();
  // Nor had much been saved up.
  state.isObserved = isRepeated && SAME_SHARE * state.confirmed <= uncounted.calls;
  return count;
}

/** Refused with the call that was reported first: then it was not let in either. */
export function refusedToo(state: LimiterState, closed: Closed, until: number | undefined): void {
  if (closed.isCounted && state.learnt !== undefined) {
    state.learnt = { ...state.learnt, calls: Math.max(1, state.ofRound) };
  }
  if (until !== undefined) closed.until = Math.max(closed.until ?? 0, until);
}

/** @returns whether that is all there is to it */
function doubtFailed(state: LimiterState, call: OpenCall, until: number | undefined): boolean {
  const learnt = state.learnt;
  state.doubt.fail();
  if (call.doubts === 'at-once') {
    if (state.top === undefined || state.open.length < state.top) return false;
    state.top = Math.min(state.top, state.open.length);
    return true;
  }
  if (learnt === undefined) return false;
  const roundAt = state.round?.at ?? call.at;
  const toldMs = until && until - roundAt;
  if (call.doubts === 'period') {
    state.isPeriodDoubted = false;
    state.learnt = shutAt(learnt, call.at - roundAt, toldMs);
    return true;
  }
  return state.ofRound >= learnt.calls;
}

function probeFailed(
  state: LimiterState,
  closed: Closed,
  { at, isTest }: OpenCall,
  until: number | undefined,
  now: number,
): void {
  closed.probe = undefined;
  closed.failures += 1;
  if (isTest) {
    closed.test = undefined;
    state.isTopRefuted = true;
  }
  const roundAt = state.round?.at ?? at;
  if (state.learnt !== undefined) state.learnt = shutAt(state.learnt, at - roundAt, until && until - roundAt);
  else state.shutMs = Math.max(state.shutMs, at - roundAt);
  closed.since = now;
  closed.until = until === undefined ? undefined : Math.max(closed.until ?? 0, until);
}
