/**
 * What calls that are let in say: the number that was doubted is higher, the period shorter, the limiter open
 * again; and where a round begins. Changes the state in place, without I/O.
 */
import { isPeriodWide, openedAt } from './learnt.ts';
import { type Closed, LET_IN_MS, type LimiterState, type OpenCall, ROUND_MS } from './limiter-state.ts';

export function noteLetIn(state: LimiterState, now: number): void {
  for (let call = state.open[state.letIn]; call !== undefined; call = state.open[state.letIn]) {
    if (call.at > now - LET_IN_MS) return;
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
  if (call.doubts === 'at-once' && state.top !== undefined) state.top += state.doubt.pass(state.top);
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

export function beginRound(state: LimiterState, now: number): void {
  const round = state.round;
  if (round !== undefined && now < round.at + (state.learnt?.periodMs ?? ROUND_MS)) return;
  const learnt = state.learnt;
  const isSteady = learnt !== undefined && state.ofRound >= learnt.calls;
  const wasFull = isSteady || (state.top !== undefined && state.ofRound > state.top);
  state.borneBefore = state.confirmed;
  state.round = { at: now, previousAt: round?.at };
  state.isObserved ||= isSteady;
  if (isSteady) state.slid = 0;
  state.isPeriodDoubted = learnt !== undefined && isPeriodWide(learnt);
  const isPending = state.open.slice(state.letIn).some(({ doubts }) => doubts === 'calls');
  const isDue = state.doubt.beginRound(wasFull, learnt?.calls ?? state.top ?? 0, state.most, isPending);
  if (isDue && !state.isPeriodDoubted) state.doubt.begin();
}

export function doubted(state: LimiterState, now: number): OpenCall['doubts'] {
  if (state.top !== undefined && state.open.length >= state.top) return 'at-once';
  const learnt = state.learnt;
  if (learnt === undefined || state.starts.nextAt(learnt.calls, learnt.periodMs) <= now) return undefined;
  return state.isPeriodDoubted ? 'period' : 'calls';
}

function reopen(state: LimiterState, closed: Closed, { at, isTest }: OpenCall): void {
  const { test, isOfBefore, isUncounted } = closed;
  const roundAt = state.round?.at ?? at;
  // The call itself is of the round that begins.
  const calls = state.ofRound - 1;
  state.most = Math.max(state.most, calls);
  if (isUncounted && calls > 0) state.uncounted = { calls, openMs: at - roundAt };
  state.closed = undefined;
  if (isOfBefore === true) return;
  if (isTest && test !== undefined) {
    state.top = test.others;
    state.heldTop = 0;
    state.learnt = undefined;
    return;
  }
  if (state.learnt !== undefined) {
    state.learnt = openedAt(state.learnt, at - roundAt);
    state.isPeriodDoubted = isPeriodWide(state.learnt);
  }
  state.borneBefore = state.confirmed;
  state.round = { at, previousAt: roundAt };
}
