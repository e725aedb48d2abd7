/**
 * A second limit beside the learnt one, over a longer time: ten calls a second, and a hundred a minute. It shows itself
 * where what has held is refused, and is refused for much longer than its period. Changes the state in place, without I/O.
 */
import type { Learnt } from './learnt.ts';
import type { LimiterState } from './limiter-state.ts';

/** A wait so many times as long as the period that has held is another limit's; where nobody tells it, it may be a guess's. */
const MUCH_LONGER = 3;
const MUCH_LONGER_UNTOLD = 8;
const ROUNDS_UNTOLD = 3;
const FIRST_PATIENCE = 1;
const MAX_PATIENCE = 64;

/** What is used up for longer is only waited for. */
const MAX_PERIOD_MS = 600_000;

/** Of its period. */
const DOUBTED_SHARE = 0.25;

/** Refused when so much of it was used up, in a little more than its period: it is what refused. */
const USED_UP = 0.95;
const SAME_PERIOD = 1.1;

/** @param waitMs for so long calls are, or were, refused */
export function isOfLonger({ periodMs }: Learnt, waitMs: number, isTold: boolean): boolean {
  return waitMs > (isTold ? MUCH_LONGER : MUCH_LONGER_UNTOLD) * periodMs;
}

/** @returns the limit that has held until now, where this refusal may be another's */
export function heldLimit({ learnt, isObserved, heldRounds }: LimiterState, isTold: boolean): Learnt | undefined {
  const hasHeld = isObserved && (isTold || heldRounds >= ROUNDS_UNTOLD);
  return hasHeld && learnt !== undefined && learnt.periodMs < Infinity ? learnt : undefined;
}

/** Since when calls count for it, Unix ms. */
export function longerSince({ longerRound, starts }: LimiterState): number | undefined {
  return longerRound?.at ?? starts.firstSince(-Infinity);
}

/** A call is let in again: what was let in since the longer round began is what it bears. */
export function learnLonger(state: LimiterState, held: Learnt, openAt: number): void {
  const { starts } = state;
  const from = longerSince(state) ?? openAt;
  const calls = starts.countSince(from) - starts.countSince(openAt);
  state.learnt = held;
  state.isObserved = true;
  state.longerRound = { at: openAt, full: 0 };
  if (calls > 0 && openAt - from <= MAX_PERIOD_MS)
    state.longer = { calls, periodMs: openAt - from, patience: state.longer?.patience ?? FIRST_PATIENCE };
}

/** When it lets one more call start, Unix ms. */
export function longerAt(state: LimiterState, now: number): number {
  const { longer, learnt, starts } = state;
  if (longer === undefined) return now;
  // The call that doubts it says nothing where the shorter one refuses it.
  const limit = isLongerDoubted(state, now) ? learnt : longer;
  return limit === undefined ? now : Math.max(now, starts.nextAt(limit.calls, limit.periodMs));
}

export function doubtsLonger({ longer, starts }: LimiterState, now: number): boolean {
  return longer !== undefined && starts.nextAt(longer.calls, longer.periodMs) > now;
}

export function longerRoom(state: LimiterState, now: number, until: number): number {
  const { longer, starts } = state;
  if (longer === undefined) return Infinity;
  return starts.room(longer.calls, longer.periodMs, now, until) + (isLongerDoubted(state, now) ? 1 : 0);
}

/** One call shows that it does not stand any more, where the wait is long: a short one is only not known so exactly. */
function isLongerDoubted({ longer, longerRound, open, starts }: LimiterState, now: number): boolean {
  if (longer === undefined || longerRound === undefined || longerRound.full < longer.patience) return false;
  const waitMs = starts.nextAt(longer.calls, longer.periodMs) - now;
  return waitMs > DOUBTED_SHARE * longer.periodMs && !open.some(({ doubts }) => doubts === 'longer');
}

/** A call starts. */
export function beginLongerRound(state: LimiterState, now: number): void {
  const { longer, longerRound, starts } = state;
  if (longer === undefined || longerRound === undefined || now < longerRound.at + longer.periodMs) return;
  const wasFull = starts.countSince(longerRound.at) >= longer.calls;
  state.longerRound = { at: now, full: longerRound.full + (wasFull ? 1 : 0) };
}

/** One call more than it allows was let in: it does not stand any more. */
export function dropLonger(state: LimiterState, at: number): void {
  const { longer, starts } = state;
  state.longer = undefined;
  // What was let in until now counts for whatever stands in its place.
  state.longerRound = { at: starts.firstSince(at - (longer?.periodMs ?? 0)) ?? at, full: 0 };
}

export function keepLonger(state: LimiterState): void {
  const { longer, longerRound } = state;
  if (longer === undefined || longerRound === undefined) return;
  state.longer = { ...longer, patience: Math.min(MAX_PATIENCE, 2 * longer.patience) };
  state.longerRound = { ...longerRound, full: 0 };
}

/** An equal's, as long as nothing was seen, or is about to be seen, of one's own and no more has been let in. */
export function copyLonger(state: LimiterState, { longer }: LimiterState, now: number): void {
  const { starts, longerRound, closed } = state;
  if (longer === undefined || longerRound !== undefined || closed?.held !== undefined) return;
  const from = now - longer.periodMs;
  if (starts.countSince(from) > longer.calls) return;
  state.longer = longer;
  state.longerRound = { at: starts.firstSince(from) ?? now, full: 0 };
}

/** Refused though it should not be used up any more: it is a little longer than it was taken for. @returns whether it was that */
export function lengthenLonger(state: LimiterState, until: number | undefined, now: number): boolean {
  const { longer, starts } = state;
  if (longer === undefined) return false;
  const from = now - SAME_PERIOD * longer.periodMs;
  if (starts.countSince(from) < USED_UP * longer.calls) return false;
  const first = starts.nextAt(longer.calls, 0);
  const periodMs = Math.min((until ?? now) - first, SAME_PERIOD * longer.periodMs);
  state.longer = { ...longer, periodMs: Math.max(longer.periodMs, periodMs) };
  return true;
}
