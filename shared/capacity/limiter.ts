/**
 * When may one more call start? Keeps to what is configured, told by the backend and learnt from being
 * refused; the strictest counts. One for each key and bucket, one for each service. Deterministic, without
 * I/O: the clock is handed in, and whoever holds the limiter tells it of every start and every end.
 *
 * How it learns (docs/capacity.md): it counts what is let in from the start of a round; at a refusal that
 * is the number of calls, and the round ends when the backend said, or when a call is let in again.
 *
 * Guarantee: a closed limiter opens no sooner than was told, but for one call that is tried where the
 * refusal may have been one of calls at a time.
 */
import { mostUnsure, nextAt, opensByEnd, perSecond, room } from './admission.ts';
import { Doubt } from './doubt.ts';
import { learnFrom } from './equals.ts';
import { type KnownLimit, knownLimits } from './known-limits.ts';
import type { Learnt } from './learnt.ts';
import { beginRound, confirm, doubted, noteLetIn } from './let-in.ts';
import type { CallEnd, ConfiguredLimit, ToldLimit } from './limit.ts';
import { LimiterState, type OpenCall, ROUND_MS, type SilentPause } from './limiter-state.ts';
import { beginLongerRound } from './longer.ts';
import { closeWhenFull, dropLateTest, opensAt } from './opening.ts';
import { refuse, refusedToo } from './refusal.ts';

/** Weight of the newest call in the mean of their times. */
const NEWEST = 0.1;
const mean = (before: number | undefined, ms: number): number => (before ?? ms) + NEWEST * (ms - (before ?? ms));

const NO_PAUSE: SilentPause = { firstMs: 0, mostMs: 0 };

/** What is worth keeping over a restart. */
export interface LimiterSnapshot {
  readonly learnt?: Learnt | undefined;
  readonly top?: number | undefined;
  readonly closedUntil?: number | undefined;
}

export class Limiter {
  #state: LimiterState;

  /**
   * @param turn where equals stand beside it, they doubt one after the other
   * @param silentPause where a refused call costs much
   */
  constructor(turn = 0, silentPause: SilentPause = NO_PAUSE) {
    this.#state = new LimiterState(new Doubt(turn), silentPause);
  }

  set configured(configured: ConfiguredLimit) {
    this.#state.configured = configured;
  }

  get inFlight(): number {
    return this.#state.open.length;
  }

  /** Calls since this round began, and of these the ones that were let in for sure. */
  get ofRound(): number {
    return this.#state.ofRound;
  }

  get confirmed(): number {
    return this.#state.confirmed;
  }

  /** Calls that were let in in the round before. */
  get borneBefore(): number {
    return this.#state.borneBefore;
  }

  /** What it was seen to bear, in this round or the one before. */
  get borne(): number {
    return this.#state.borne;
  }

  get isKnown(): boolean {
    const { learnt, top, configured, told } = this.#state;
    return learnt !== undefined || top !== undefined || configured.rate !== undefined || told.isAny;
  }

  /** What is known may turn out to be wrong: only so many calls are let start that may be refused together. */
  get isUnsure(): boolean {
    return mostUnsure(this.#state) < Infinity;
  }

  /** It was seen to bear so many calls at a time. */
  get isAtOnce(): boolean {
    return this.#state.top !== undefined;
  }

  /** Nobody knows when it opens: calls of equals that try it at the same time would show the same. */
  get isBlind(): boolean {
    const { closed, learnt } = this.#state;
    if (closed === undefined) return false;
    return closed.test?.isDue === true || (closed.until === undefined && learnt?.periodMs === Infinity);
  }

  get isProbed(): boolean {
    return this.#state.closed?.probe !== undefined;
  }

  /** When it opens again, Unix ms; undefined while it is open. */
  get closedUntil(): number | undefined {
    const { closed } = this.#state;
    return closed && opensAt(this.#state, closed);
  }

  /** Until when it is closed by the backend's own word, Unix ms. */
  get toldUntil(): number | undefined {
    return this.#state.closed?.until;
  }

  /** When one more call may start, Unix ms: `now`, later, or infinite when a call must end first. */
  nextAt(now: number): number {
    noteLetIn(this.#state, now);
    dropLateTest(this.#state, now);
    return nextAt(this.#state, now);
  }

  /** A call that ends may make room before the time that is known, as of when `nextAt` was last asked. */
  opensByEnd(): boolean {
    return opensByEnd(this.#state);
  }

  /** How many calls could start until then, if as many wanted to. */
  room(now: number, until: number): number {
    noteLetIn(this.#state, now);
    return room(this.#state, now, until);
  }

  /** What is known of its limits, for whoever watches. */
  get knownLimits(): KnownLimit[] {
    return knownLimits(this.#state);
  }

  /** Calls a second that it bears for good, as far as that is known. */
  perSecond(): number | undefined {
    return perSecond(this.#state);
  }

  /** @returns the call's ticket, for `end` */
  start(now: number): number {
    const state = this.#state;
    const { closed } = state;
    const doubts = closed === undefined ? doubted(state, now) : undefined;
    if (closed === undefined && doubts !== 'period') beginRound(state, now);
    if (closed === undefined) beginLongerRound(state, now);
    const isTest = closed?.test?.isDue === true;
    const call: OpenCall = { ticket: ++state.lastTicket, at: now, doubts, isTest, beside: state.open.length };
    if (closed !== undefined) closed.probe = call;
    state.open.push(call);
    state.starts.add(now);
    state.told.start(now);
    closeWhenFull(state, now);
    return call.ticket;
  }

  end(ticket: number, end: CallEnd, now: number): void {
    const state = this.#state;
    noteLetIn(state, now);
    const index = state.open.findIndex((open) => open.ticket === ticket);
    const [call] = index < 0 ? [] : state.open.splice(index, 1);
    if (call === undefined) return;
    const wasLetIn = index < state.letIn;
    if (wasLetIn) state.letIn -= 1;
    switch (end.kind) {
      case 'let-in':
        state.meanMs = mean(state.meanMs, now - call.at);
        state.heldTop += 1;
        if (!wasLetIn) confirm(state, call);
        break;
      case 'limited':
        refuse(state, call, end.until !== undefined && end.until > now ? end.until : undefined, now);
        return;
      case 'unused':
        state.starts.remove(call.at);
        break;
      case 'unknown':
        break;
    }
    const { closed } = state;
    if (closed?.probe === call) closed.probe = undefined;
    else if (closed?.test !== undefined) closed.test.isDue = true;
  }

  /** A call was refused that was never counted. @param until Unix ms, when the backend said it */
  noteUncountedRefusal(until: number | undefined, now: number): void {
    const { closed, round } = this.#state;
    if (closed !== undefined) {
      refusedToo(this.#state, closed, undefined, until);
      return;
    }
    this.end(this.start(now), { kind: 'limited', until }, now);
    if (round === undefined && this.#state.closed !== undefined) this.#state.closed.isUncounted = true;
  }

  /** A call had been let in that was never counted, before the first refusal. Long ago is no round of it. @param at when it started */
  noteUncountedStart(at: number): void {
    const { closed, round, starts } = this.#state;
    if (closed?.isUncounted !== true || round === undefined || at < closed.since - ROUND_MS) return;
    starts.add(at);
    if (at < round.at) this.#state.round = { ...round, at };
  }

  /** @param name of the limit, where a backend tells of several; each report replaces the one before */
  tell(name: string, told: ToldLimit, now: number): void {
    this.#state.told.tell(name, told, this.#state.open.length, now);
  }

  /** Takes what an equal has learnt, as far as nothing of one's own speaks against it. */
  learnFrom(other: Limiter, now: number): void {
    learnFrom(this.#state, other.#state, now);
  }

  /** As if it had never been used, but for what is configured and the calls that are under way. */
  forget(): void {
    const { configured, silentPause, open, letIn, lastTicket } = this.#state;
    this.#state = new LimiterState(new Doubt(0), silentPause);
    Object.assign(this.#state, { configured, letIn, lastTicket });
    for (const call of open) {
      this.#state.open.push({ ...call, doubts: undefined, isTest: false });
      this.#state.starts.add(call.at);
    }
  }

  snapshot(): LimiterSnapshot {
    const { learnt, top, closed } = this.#state;
    const isWhole = learnt !== undefined && learnt.periodMs < Infinity;
    return { learnt: isWhole ? learnt : undefined, top, closedUntil: closed?.until };
  }

  /** Calls that were under way then are not known, and may have used up a round: it goes carefully at first. */
  restore({ learnt, top, closedUntil }: LimiterSnapshot, now: number): void {
    Object.assign(this.#state, { learnt, top, isTopObserved: top !== undefined });
    if (closedUntil !== undefined && closedUntil > now) {
      this.#state.closed = { since: now, refusedAt: now, until: closedUntil, isCounted: false, failures: 0 };
    }
  }
}
