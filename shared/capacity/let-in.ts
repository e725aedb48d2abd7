/**
 * What calls that are let in say: the number that was doubted is higher, the period shorter, the limiter open
 * again; and where a round begins. Changes the state in place, without I/O.
 */
import { isPeriodWide, openedAt } from './learnt.ts';
import { type Closed, FIRST_MEAN_MS, type LimiterState, type OpenCall, ROUND_MS } from './limiter-state.ts';
import { doubtsLonger, dropLonger, isOfLonger, learnLonger } from './longer.ts';
import { opensAt } from './opening.ts';

/** Of calls at a time, in times that a call takes: as long as nothing is known of periods. */
const TOP_ROUND_CALLS = 3;

/** Two calls, and a third, more than a limit of calls at a time are let in: there is none. */
const MIN_PASSES = 2;
const REFUTING_SHARE = 1.3;

export function noteLetIn(state: LimiterState, now: number): void {
  for (let call = state.open[state.letIn]; call !== undefined; call = state.open[state.letIn]) {
    if (call.at > now - state.letInMs) return;
    state.letIn += 1;
    confirm(state, call);
  }
}

export function confirm(state: LimiterState, call: OpenCall): void {
  const closed = state.closed;
  state.letInSince += 1;
  if (closed !== undefined) {
    if (closed.probe === call) reopen(state, closed, call);
    return;
  }
  if (call.doubts === 'longer') dropLonger(state, call.at);
  if (call.doubts === 'at-once' && state.top !== undefined && state.doubt.step > 0) raiseTop(state, state.top);
  if (state.learnt === undefined) return;
  if (call.doubts === 'calls') {
    const raise = state.doubt.pass(state.learnt.calls);
    if (raise > 0) state.learnt = { ...state.learnt, calls: state.learnt.calls + raise };
  } else if (call.doubts === 'period' && state.isPeriodDoubted) {
    state.learnt = openedAt(state.learnt, call.at - (state.round?.at ?? call.at));
    state.isPeriodDoubted = isPeriodWide(state.learnt);
    state.round = { at: call.at, previousAt: state.round?.at };
  }
}

function raiseTop(state: LimiterState, before: number): void {
  const top = before + 1;
  state.top = top;
  state.topPasses += 1;
  if (state.topPasses < MIN_PASSES || top <= REFUTING_SHARE * (top - state.topPasses)) return;
  state.refutedTop = top;
  forgetTop(state);
}

export function forgetTop(state: LimiterState): void {
  state.top = undefined;
  state.isTopRefuted = true;
  state.isTopObserved = false;
  state.topPasses = 0;
}

export function beginRound(state: LimiterState, now: number): void {
  const round = state.round;
  if (round !== undefined && now < round.at + roundMs(state)) return;
  const learnt = state.learnt;
  const isSteady = learnt !== undefined && state.ofRound >= learnt.calls;
  const wasFull = isSteady || (state.top !== undefined && state.ofRound > state.top);
  state.borneBefore = state.confirmed;
  state.round = { at: now, previousAt: round?.at };
  state.isObserved ||= isSteady;
  if (isSteady) {
    state.slid = 0;
    state.heldRounds += 1;
  }
  state.isPeriodDoubted = learnt !== undefined && isPeriodWide(learnt);
  const isPending = state.open.slice(state.letIn).some(({ doubts }) => doubts === 'calls') || state.top !== undefined;
  const isDue = state.doubt.beginRound(wasFull, learnt?.calls ?? state.top ?? 0, state.most, isPending);
  if (isDue && !state.isPeriodDoubted) state.doubt.begin();
}

function roundMs({ top, learnt, hasSlowCalls, meanMs = FIRST_MEAN_MS }: LimiterState): number {
  return top === undefined || !hasSlowCalls ? (learnt?.periodMs ?? ROUND_MS) : TOP_ROUND_CALLS * meanMs;
}

export function doubted(state: LimiterState, now: number): OpenCall['doubts'] {
  if (state.top !== undefined && state.open.length >= state.top) return 'at-once';
  if (doubtsLonger(state, now)) return 'longer';
  const learnt = state.learnt;
  if (learnt === undefined || state.starts.nextAt(learnt.calls, learnt.periodMs) <= now) return undefined;
  return state.isPeriodDoubted ? 'period' : 'calls';
}

function reopen(state: LimiterState, closed: Closed, { at, isTest }: OpenCall): void {
  const { test, isOfBefore, isUncounted, mayBeOfSeveral, refusedAt, since, held, until } = closed;
  const roundAt = state.round?.at ?? at;
  // The call itself is of the round that begins.
  const calls = state.ofRound - 1;
  state.most = Math.max(state.most, calls);
  const plannedAt = Math.min(at, opensAt(state, closed));
  if (isUncounted && calls > 0) state.uncounted = { calls, openMs: at - roundAt };
  state.closed = undefined;
  if (held !== undefined && isOfLonger(held, plannedAt - refusedAt, until !== undefined)) {
    learnLonger(state, held, at);
    return;
  }
  if (isOfBefore === true) return;
  if (isTest && test !== undefined) {
    state.top = test.others;
    state.heldTop = 0;
    state.topPasses = 0;
    // A time that is told for calls at a time is a second mostly: that it ended so late is little of a chance.
    state.isTopObserved = closed.until !== undefined || !state.hasSlowCalls;
    if (!state.isTopObserved) state.doubt.begin();
    state.learnt = undefined;
    return;
  }
  if (state.learnt !== undefined) {
    state.learnt = openedAt(state.learnt, at - roundAt);
    state.isPeriodDoubted = isPeriodWide(state.learnt);
  }
  state.borneBefore = state.confirmed;
  state.round = { at, previousAt: roundAt };
  if (mayBeOfSeveral !== true || plannedAt - refusedAt >= refusedAt - roundAt) return;
  // It was shut for less time than calls had been let in: they went over several periods, and the one that begins is measured.
  const firstAt = state.starts.firstSince(2 * refusedAt - plannedAt) ?? at;
  const ofLast = state.starts.countSince(firstAt) - state.starts.countSince(at);
  Object.assign(state, { learnt: undefined, isMeasured: true, shutMs: since - refusedAt });
  state.uncounted = { calls: Math.max(1, ofLast), openMs: at - firstAt };
}
