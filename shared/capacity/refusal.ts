/**
 * What a refusal says: a limit is met for the first time, is lower than it was, stands where it was doubted, or
 * has not ended where a call tried it. Changes the state in place, without I/O.
 */
import { firstLearnt, shutAt } from './learnt.ts';
import { type Closed, LET_IN_MS, type LimiterState, type OpenCall } from './limiter-state.ts';
import { heldLimit, isOfLonger, keepLonger, lengthenLonger } from './longer.ts';

/** A wait this short may be one for calls at a time: those are told a second, whatever the limit. */
const MAX_TEST_WAIT_MS = 2_000;

/** Of refusals where fewer calls were under way than a limit of calls at a time allows, before it has held. */
const MAX_TOP_MISSES = 2;
const TOP_SHARE = 0.8;

const SHORT_SHARE = 0.5;
const MAX_SLIDES = 3;

/** What is told of a longer time is no period to be learnt: it is only waited for. */
const MAX_LEARNT_PERIOD_MS = 120_000;

/** Numbers this close to each other are the same. */
const SAME_SHARE = 0.9;

export function refuse(state: LimiterState, call: OpenCall, until: number | undefined, now: number): void {
  state.starts.remove(call.at);
  // What was never counted began when it is not known.
  if (now > call.at) state.refusedMs = Math.max(state.refusedMs ?? 0, now - call.at);
  const closed = state.closed;
  if (closed !== undefined) {
    if (closed.probe === call) probeFailed(state, closed, call, until, now);
    else refusedToo(state, closed, call.ticket, until);
    return;
  }
  // It was under way when an earlier refusal was noted.
  if (call.at <= state.strikeAt) return;
  state.strikeAt = now;
  state.letInSince = 0;
  if (call.doubts === 'longer') {
    keepLonger(state);
    if (until === undefined) return;
  } else if (call.doubts !== undefined && doubtFailed(state, call, until)) return;
  const others = call.beside;
  const hadTop = state.isTopObserved;
  if (state.top !== undefined) {
    // What was refused together, or had ended and was not reported yet, made it too high by a little: that is tried again.
    state.topMisses = state.hasTopHeld ? 1 : state.topMisses + 1;
    const isFar = others < TOP_SHARE * state.top;
    state.isTopRefuted = others < state.top && (isFar || state.topMisses > MAX_TOP_MISSES);
    state.top = undefined;
  }
  const before = state.learnt;
  const isOfKnownLonger = call.doubts === 'longer' || lengthenLonger(state, until, now);
  const held = isOfKnownLonger ? undefined : heldLimit(state, until !== undefined);
  const isOfBefore =
    isOfKnownLonger ||
    slides(state, until) ||
    (held !== undefined && until !== undefined && isOfLonger(held, until - call.at, true));
  const mayBeOfSeveral = isLongRound(state, call, until, now);
  const count = isOfBefore ? 0 : learn(state, call, until, now);
  const isTestable = !state.isTopRefuted && others > 0 && (hadTop || count > others || isSlow(state, now));
  const isShort = until === undefined || until - now <= MAX_TEST_WAIT_MS;
  state.closed = {
    since: now,
    until,
    isCounted: count > 0,
    before,
    isOfBefore,
    mayBeOfSeveral,
    refusedAt: call.at,
    held,
    failures: 0,
    ...(isTestable && isShort && { test: { others, ticket: call.ticket, isDue: false } }),
  };
}

/** None of a round may have ended where calls take long. */
function isSlow({ open: [first] }: LimiterState, now: number): boolean {
  return first !== undefined && first.at < now - LET_IN_MS;
}

/**
 * Told to wait for far less than a period that is well known: calls of the round before still count, because the
 * window slides and they arrived a moment later than they were noted. Nothing is to be learnt, unless it happens again.
 */
function slides(state: LimiterState, until: number | undefined): boolean {
  const { learnt, round, isObserved } = state;
  if (until === undefined || learnt?.isTold !== true || round === undefined || !isObserved) return false;
  if (until - round.at > SHORT_SHARE * learnt.periodMs || state.slid >= MAX_SLIDES) return false;
  state.slid += 1;
  return true;
}

/** Nobody saw a period begin, and calls did long before: they may have gone over several. */
function isLongRound(state: LimiterState, call: OpenCall, until: number | undefined, now: number): boolean {
  if (state.learnt !== undefined || state.uncounted !== undefined) return false;
  const lastedMs = call.at - (state.round?.at ?? call.at);
  return lastedMs >= LET_IN_MS && (until === undefined || until - now < lastedMs);
}

function isOnlyWaitedFor(until: number | undefined, now: number): boolean {
  return until !== undefined && until - now > MAX_LEARNT_PERIOD_MS;
}

/** @returns the calls of this round; 0 where they say nothing of the limit */
function learn(state: LimiterState, call: OpenCall, until: number | undefined, now: number): number {
  state.round ??= { at: call.at, previousAt: undefined };
  if (isOnlyWaitedFor(until, now)) return 0;
  const { at: roundAt, previousAt } = state.round;
  const count = state.ofRound;
  const learnt = state.learnt;
  if (count === 0 && previousAt !== undefined && learnt !== undefined) {
    // The first call of a round: the period before has not ended.
    state.round = { at: previousAt, previousAt: undefined };
    state.learnt = shutAt(learnt, call.at - previousAt, until && until - previousAt);
    return 0;
  }
  if (count === 0) return 0;
  const toldMs = until && until - roundAt;
  const { uncounted } = state;
  state.uncounted = undefined;
  // As many as were let in before they were counted: that is a limit. Of those that are open some may be refused too.
  const isRepeated = uncounted !== undefined && count >= SAME_SHARE * uncounted.calls;
  state.learnt =
    learnt === undefined
      ? firstLearnt(
          count,
          Math.max(call.at - roundAt, state.shutMs),
          toldMs,
          isRepeated ? uncounted.openMs : undefined,
          state.isMeasured,
        )
      : { ...learnt, calls: count };
  if (!state.doubt.isRaised) state.doubt.restart(state.isObserved);
  else state.doubt.fail();
  state.heldRounds = 0;
  // Nor had much been saved up.
  state.isObserved = isRepeated && SAME_SHARE * state.confirmed <= uncounted.calls;
  return count;
}

/**
 * Refused with the call that was reported first: then it was not let in either.
 * @param ticket undefined when it was never counted
 */
export function refusedToo(
  state: LimiterState,
  closed: Closed,
  ticket: number | undefined,
  until: number | undefined,
): void {
  const { test } = closed;
  if (test !== undefined && ticket !== undefined && ticket < test.ticket && closed.probe === undefined) {
    closed.test = test.others > 1 ? { ...test, others: test.others - 1 } : undefined;
  }
  if (closed.isCounted && state.learnt !== undefined) {
    // All of the round were refused: somebody else had used the period up, and nothing was seen of the limit.
    closed.isCounted = state.ofRound > 0;
    state.learnt = closed.isCounted ? { ...state.learnt, calls: state.ofRound } : closed.before;
  }
  if (until !== undefined) closed.until = Math.max(closed.until ?? 0, until);
}

/** @returns whether that is all there is to it */
function doubtFailed(state: LimiterState, call: OpenCall, until: number | undefined): boolean {
  const learnt = state.learnt;
  state.doubt.fail();
  if (call.doubts === 'at-once') {
    state.isTopObserved = true;
    state.topPasses = 0;
  }
  if (call.doubts === 'at-once') return state.top !== undefined && state.open.length >= state.top;
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
  if (state.learnt !== undefined) {
    if (!isOnlyWaitedFor(until, now)) state.learnt = shutAt(state.learnt, at - roundAt, until && until - roundAt);
  } else state.shutMs = Math.max(state.shutMs, at - roundAt);
  closed.since = now;
  closed.until = until === undefined ? undefined : Math.max(closed.until ?? 0, until);
}
