/** What keys of a pool that are equals take over from each other. Changes the state in place, without I/O. */
import { mergeLearnt, paceOf } from './learnt.ts';
import { forgetTop } from './let-in.ts';
import { type LimiterState, ROUND_MS } from './limiter-state.ts';
import { copyLonger } from './longer.ts';

/** An equal that bears so much more is believed, but only so often. */
const MUCH_MORE = 1.5;

/** Takes what an equal has learnt, as far as nothing of one's own speaks against it. */
export function learnFrom(state: LimiterState, other: LimiterState, now: number): void {
  if (other.refusedMs !== undefined) state.refusedMs = Math.max(state.refusedMs ?? 0, other.refusedMs);
  copyLonger(state, other, now);
  if (state.top !== undefined) {
    if (other.refutedTop > state.top) forgetTop(state);
    else return;
  }
  if (other.top !== undefined) {
    if (state.isTopRefuted || !other.isTopObserved) return;
    state.isTopObserved = true;
    state.top = other.top;
    state.heldTop = other.heldTop;
    state.learnt = undefined;
    state.closed = undefined;
    return;
  }
  // It has let nothing in yet for sure: all that is under way may have been refused, and then that was no limit.
  if (
    other.learnt === undefined ||
    other.closed?.mayBeOfSeveral === true ||
    (other.closed?.isCounted === true && other.borne === 0)
  )
    return;
  // This one has borne more for a whole round: it may have been a stray refusal.
  if (state.learnt === undefined && paceOf(other.learnt) < state.borneBefore / ROUND_MS) return;
  // What an equal has found lower may be lower here, too: few calls that may be refused together, until it has held for a round.
  if (state.learnt !== undefined && !other.isObserved && other.learnt.calls < state.learnt.calls)
    state.isObserved = false;
  state.most = Math.max(state.most, other.most);
  if (state.learnt === undefined || (state.isCopy && !other.isCopy && !state.isObserved)) {
    // A round was as long as nothing was known: what was let in over it must not be taken for what one period bears.
    if (state.learnt === undefined && state.round !== undefined) {
      state.round = { ...state.round, at: Math.max(state.round.at, now - other.learnt.periodMs) };
    }
    if (state.learnt === undefined) state.letInSince = 0;
    // Also where it was copied a moment ago: of calls that are refused together the equal hears one by one.
    state.learnt = other.learnt;
    state.copied = other.learnt;
    return;
  }
  // More than ever was let in at a time cannot have been saved up.
  const isSettled = !other.doubt.isRaised || other.learnt.calls > state.most;
  const isMuchMore = other.isObserved && isSettled && paceOf(other.learnt) > MUCH_MORE * paceOf(state.learnt);
  if (isMuchMore && state.copiesLeft > 0) {
    state.copiesLeft -= 1;
    state.learnt = other.learnt;
  } else state.learnt = mergeLearnt(state.learnt, other.learnt);
}
