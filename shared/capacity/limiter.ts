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
import { Doubt } from './doubt.ts';
import {
  confirmedBy,
  firstLearnt,
  isPeriodVague,
  type Learnt,
  mergeLearnt,
  middleMs,
  openedAt,
  shutAt,
  withFewerCalls,
} from './learnt.ts';
import type { CallEnd, ConfiguredLimit, ToldLimit } from './limit.ts';
import { Starts } from './starts.ts';
import { ToldLimits } from './told.ts';

/** A refusal comes at once: a call that has been under way for so long was let in. */
const LET_IN_MS = 1_500;

/** Before anything is known, so many calls more than half of those that were let in are under way. */
const FIRST_CALLS = 2;

/** How often over that may happen soon: at the end of it a limit may stand. */
const MAX_UNSURE_TURNS = 2;

const TURNS_TO_PROVE_TOP = 3;

/** Where nothing else says how long a round is. */
const ROUND_MS = 60_000;

/** Pauses of the calls that try a silent backend: each waits so much longer than the last. */
const FIRST_PROBE_MS = 250;
const MAX_PROBE_PAUSE_MS = 600_000;
const PROBE_GROWTH = 1.35;
const KNOWN_PROBE_GROWTH = 1.15;
const MIN_PROBE_PAUSE_MS = 100;

/** A wait this short may be one for calls at a time: those are told a second, whatever the limit. */
const MAX_TEST_WAIT_MS = 2_000;
const MIN_TEST_MS = 200;

/** What is told of a longer time is no period to be learnt: it is only waited for. */
const MAX_LEARNT_PERIOD_MS = 120_000;

/** An equal that bears so much more is believed, but only so often. */
const MUCH_MORE = 1.5;
const SOME_MORE = 3;
const MAX_COPIES = 2;

/** A start is noted when it leaves here and counted when it arrives. */
const guardMs = (periodMs: number): number => Math.min(100, 5 + periodMs * 0.005);

const FIRST_MEAN_MS = 1_000;
/** Weight of the newest call in the mean of their times. */
const NEWEST = 0.1;
const mean = (before: number | undefined, ms: number): number => (before ?? ms) + NEWEST * (ms - (before ?? ms));

/** Of what the round before bore, when not so much is known any more. */
const CAREFUL_SHARE = 0.25;

interface OpenCall {
  readonly ticket: number;
  readonly at: number;
  isLetIn: boolean;
  /** More than the learnt limit allows: it tries the number of calls, how long the period is, or calls at a time. */
  readonly doubts: 'calls' | 'period' | 'at-once' | undefined;
  /** It tries, after another has ended, whether there is a limit of calls at a time. */
  readonly isTest: boolean;
}

interface Closed {
  /** Time of the last refusal. */
  since: number;
  /** As told; a silent backend is tried at growing intervals. */
  until: number | undefined;
  /** The one call that tries it. */
  probe?: OpenCall | undefined;
  /** A limit of calls at a time would explain it: `others` were under way. Tried when one of them ends. */
  test?: { readonly others: number; isDue: boolean } | undefined;
  /** Calls that turn out to have been refused with the first one make the learnt number smaller. */
  readonly isCounted: boolean;
}

/** What is worth keeping over a restart. */
export interface LimiterSnapshot {
  readonly learnt?: Learnt | undefined;
  readonly top?: number | undefined;
  readonly closedUntil?: number | undefined;
}

export class Limiter {
  configured: ConfiguredLimit = {};
  #learnt: Learnt | undefined;
  /** Calls at a time, as learnt. */
  #top: number | undefined;
  /** Calls that were let in since. */
  #heldTop = 0;
  #closed: Closed | undefined;
  readonly #told = new ToldLimits();
  readonly #starts = new Starts();
  readonly #open: OpenCall[] = [];
  readonly #doubt: Doubt;
  #round: { readonly at: number; readonly previousAt: number | undefined } | undefined;
  #lastTicket = 0;
  #strikeAt = -1;
  #isTopRefuted = false;
  /** What was learnt has held for a full round. */
  #isProven = false;
  /** The most calls that were let in before a refusal: what may be saved up when fewer are made. */
  #most = 0;
  #isPeriodDoubted = false;
  #isCallsTurn = true;
  #copiesLeft = MAX_COPIES;
  /** What was learnt is an equal's, and nothing of one's own has been added to it. */
  #copied: Learnt | undefined;
  #meanMs: number | undefined;
  /** Calls that were let in in the round before. */
  #borne = 0;

  /** @param turn where equals stand beside it, they doubt one after the other */
  constructor(turn = 0) {
    this.#doubt = new Doubt(turn);
  }

  get inFlight(): number {
    return this.#open.length;
  }

  /** Calls since this round began, and of these the ones that were let in for sure. */
  get ofRound(): number {
    return this.#starts.countSince(this.#round?.at ?? -Infinity);
  }

  get confirmed(): number {
    return this.ofRound - this.#unsure().length;
  }

  /** Calls that were let in in the round before. */
  get borneBefore(): number {
    return this.#borne;
  }

  /** What it was seen to bear, in this round or the one before. */
  get borne(): number {
    return Math.max(this.confirmed, this.#borne);
  }

  get isKnown(): boolean {
    const isConfigured = this.configured.rate !== undefined;
    return this.#learnt !== undefined || this.#top !== undefined || isConfigured || this.#told.isAny;
  }

  /** Nobody knows when it opens: calls of equals that try it at the same time would show the same. */
  get isBlind(): boolean {
    const closed = this.#closed;
    if (closed === undefined) return false;
    return closed.test?.isDue === true || (closed.until === undefined && this.#learnt?.periodMs === Infinity);
  }

  get isProbed(): boolean {
    return this.#closed?.probe !== undefined;
  }

  get raises(): number {
    return this.#doubt.raises;
  }

  /** When it opens again, Unix ms; undefined while it is open. */
  get closedUntil(): number | undefined {
    return this.#closed && this.#opensAt(this.#closed);
  }

  /** When one more call may start, Unix ms: `now`, later, or infinite when a call must end first. */
  nextAt(now: number): number {
    this.#noteLetIn(now);
    this.#dropLateTest(now);
    const closed = this.#closed;
    if (this.#open.length >= this.#mostAtOnce()) return Infinity;
    let at = Math.max(this.#configuredAt(now), this.#told.nextAt(now));
    if (closed !== undefined) {
      if (closed.probe !== undefined) return closed.probe.at + LET_IN_MS;
      return closed.test?.isDue ? at : Math.max(at, this.#opensAt(closed));
    }
    const unsure = this.#unsure();
    const [first] = unsure;
    if (first !== undefined && unsure.length >= this.#mostUnsure()) at = Math.max(at, first.at + LET_IN_MS);
    return Math.max(at, this.#learntAt(now));
  }

  /** A call that ends may make room before the time that is known. */
  opensByEnd(now: number): boolean {
    if (this.#open.length === 0) return false;
    if (this.#closed !== undefined) return this.#closed.probe !== undefined || this.#closed.test !== undefined;
    if (this.#open.length >= this.#mostAtOnce()) return true;
    this.#noteLetIn(now);
    return this.#unsure().length >= this.#mostUnsure();
  }

  /** @returns the call's ticket, for `end` */
  start(now: number): number {
    const closed = this.#closed;
    const doubts = closed === undefined ? this.#doubted(now) : undefined;
    if (closed === undefined && doubts !== 'period') this.#beginRound(now);
    const call: OpenCall = {
      ticket: ++this.#lastTicket,
      at: now,
      isLetIn: false,
      doubts,
      isTest: closed?.test?.isDue === true,
    };
    if (closed !== undefined) closed.probe = call;
    this.#open.push(call);
    this.#starts.add(now);
    this.#told.start(now);
    this.#closeWhenFull(now);
    return call.ticket;
  }

  end(ticket: number, end: CallEnd, now: number): void {
    this.#noteLetIn(now);
    const index = this.#open.findIndex((open) => open.ticket === ticket);
    const [call] = index < 0 ? [] : this.#open.splice(index, 1);
    if (call === undefined) return;
    const test = this.#closed?.test;
    switch (end.kind) {
      case 'let-in':
        this.#meanMs = mean(this.#meanMs, now - call.at);
        this.#heldTop += 1;
        if (!call.isLetIn) this.#confirm(call);
        break;
      case 'limited':
        this.#refuse(call, end.until !== undefined && end.until > now ? end.until : undefined, now);
        return;
      case 'unused':
        this.#starts.remove(call.at);
        break;
      case 'unknown':
        break;
    }
    if (this.#closed?.probe === call) this.#closed.probe = undefined;
    else if (test !== undefined && test === this.#closed?.test) test.isDue = true;
    this.#dropLateTest(now);
  }

  /** @param name of the limit, where a backend tells of several; each report replaces the one before */
  tell(name: string, told: ToldLimit, now: number): void {
    this.#told.tell(name, told, this.#open.length, now);
  }

  /** Takes what an equal has learnt, as far as nothing of one's own speaks against it. */
  learnFrom(other: Limiter, now: number): void {
    if (this.#top !== undefined) return;
    if (other.#top !== undefined) {
      if (this.#isTopRefuted) return;
      this.#top = other.#top;
      this.#heldTop = other.#heldTop;
      this.#learnt = undefined;
      this.#closed = undefined;
      return;
    }
    const closed = this.#closed;
    if (other.#isTopRefuted && (this.#learnt === undefined || closed?.test !== undefined)) {
      this.#isTopRefuted = true;
      if (closed !== undefined && closed.probe === undefined) closed.test = undefined;
    }
    if (other.#learnt === undefined) return;
    // This one has borne more for a whole round: it may have been a stray refusal.
    if (this.#learnt === undefined && other.#learnt.calls / other.#learnt.periodMs < this.#borne / ROUND_MS) return;
    this.#most = Math.max(this.#most, other.#most);
    if (this.#learnt === undefined || (this.#isCopy && !other.#isCopy && !this.#isProven)) {
      // Also where it was copied a moment ago: of calls that are refused together the equal hears one by one.
      this.#learnt = other.#learnt;
      this.#copied = other.#learnt;
      this.#closeWhenFull(now);
      return;
    }
    const isMuchMore =
      other.#isProven && other.#learnt.calls > MUCH_MORE * (this.#learnt?.calls ?? Infinity) + SOME_MORE;
    if (isMuchMore && this.#copiesLeft > 0) {
      this.#copiesLeft -= 1;
      this.#learnt = other.#learnt;
    } else this.#learnt = mergeLearnt(this.#learnt, other.#learnt);
    this.#closeWhenFull(now);
  }

  /** An equal was found to bear more: this one is tried in its next round. */
  encourage(other: Limiter): void {
    if ((this.#learnt?.calls ?? Infinity) < (other.#learnt?.calls ?? 0)) this.#doubt.soon();
  }

  /** How many calls could start until then, if as many wanted to. */
  room(now: number, until: number): number {
    this.#noteLetIn(now);
    if (this.#closed !== undefined) {
      if (this.#opensAt(this.#closed) > until) return 0;
      // When it opens is a guess: one call tries it.
      if (this.#closed.until === undefined) return this.#closed.probe === undefined ? 1 : 0;
    }
    const turns = Math.max(1, (until - now) / Math.max(50, this.#meanMs ?? FIRST_MEAN_MS));
    const rooms: number[] = [this.#told.room(until)];
    const atOnce = this.#mostAtOnce();
    // It may have been by chance that a call was let in when another had ended.
    const isTopProven = this.#top === undefined || this.#heldTop >= TURNS_TO_PROVE_TOP * this.#top;
    const mostTurns = isTopProven ? turns : Math.min(turns, MAX_UNSURE_TURNS);
    if (atOnce < Infinity) rooms.push(Math.floor(atOnce * mostTurns) - this.#open.length);
    const { rate } = this.configured;
    if (rate !== undefined) rooms.push(this.#starts.room(rate.calls, rate.periodMs, now, until));
    if (this.#learnt !== undefined) {
      const { calls, periodMs } = this.#learnt;
      // What has not held for a round may have been saved up: it is there once.
      const mostCalls = this.#isProven ? Infinity : calls;
      rooms.push(Math.min(mostCalls, this.#starts.room(calls, periodMs, now, until)) + this.#doubting(until));
    }
    const unsure = this.#mostUnsure();
    if (unsure < Infinity) rooms.push(Math.floor(unsure * Math.min(turns, MAX_UNSURE_TURNS)) - this.#unsure().length);
    return Math.max(this.#closed === undefined ? 0 : 1, Math.min(...rooms), 0);
  }

  /** Calls a second that it bears for good, as far as that is known. */
  perSecond(): number | undefined {
    const { rate } = this.configured;
    const rates = [
      rate === undefined ? Infinity : (rate.calls * 1_000) / rate.periodMs,
      this.#learnt === undefined ? Infinity : (this.#learnt.calls * 1_000) / this.#learnt.periodMs,
      (this.#mostAtOnce() * 1_000) / Math.max(1, this.#meanMs ?? FIRST_MEAN_MS),
      this.#told.perSecond(),
    ];
    const slowest = Math.min(...rates);
    return slowest > 0 && slowest < Infinity ? slowest : undefined;
  }

  snapshot(): LimiterSnapshot {
    const known = this.#learnt !== undefined && this.#learnt.periodMs < Infinity ? this.#learnt : undefined;
    return { learnt: known, top: this.#top, closedUntil: this.#closed?.until };
  }

  /** Calls that were under way then are not known, and may have used up a round: it goes carefully at first. */
  restore({ learnt, top, closedUntil }: LimiterSnapshot, now: number): void {
    this.#learnt = learnt;
    this.#top = top;
    if (closedUntil !== undefined && closedUntil > now) {
      this.#closed = { since: now, until: closedUntil, isCounted: false };
    }
  }

  get #isCopy(): boolean {
    return this.#learnt !== undefined && this.#learnt === this.#copied;
  }

  #noteLetIn(now: number): void {
    for (const call of this.#open) {
      if (call.at > now - LET_IN_MS) break;
      if (!call.isLetIn) this.#confirm(call);
    }
  }

  /** Later, a call may be let in for any reason. */
  #dropLateTest(now: number): void {
    const closed = this.#closed;
    if (closed?.test === undefined || closed.probe !== undefined) return;
    const lastsMs = Math.max(MIN_TEST_MS, 2 * (this.#meanMs ?? FIRST_MEAN_MS));
    if (now > closed.since + lastsMs) closed.test = undefined;
  }

  #confirm(call: OpenCall): void {
    call.isLetIn = true;
    const closed = this.#closed;
    if (closed !== undefined) {
      if (closed.probe === call) this.#reopen(closed, call);
      return;
    }
    if (call.doubts === 'at-once' && this.#top !== undefined) this.#top += this.#doubt.pass(this.#top);
    if (this.#learnt === undefined) return;
    if (call.doubts === 'calls') {
      const raise = this.#doubt.pass(this.#learnt.calls);
      if (raise > 0) this.#learnt = { ...this.#learnt, calls: this.#learnt.calls + raise };
    } else if (call.doubts === 'period' && this.#isPeriodDoubted) {
      this.#learnt = openedAt(this.#learnt, call.at - (this.#round?.at ?? call.at));
      this.#isPeriodDoubted = false;
      this.#doubt.relax();
      this.#round = { at: call.at, previousAt: this.#round?.at };
    }
  }

  #reopen({ test }: Closed, { at, isTest }: OpenCall): void {
    const roundAt = this.#round?.at ?? at;
    this.#closed = undefined;
    if (isTest && test !== undefined) {
      this.#top = test.others;
      this.#heldTop = 0;
      this.#learnt = undefined;
      return;
    }
    if (this.#learnt !== undefined) this.#learnt = openedAt(this.#learnt, at - roundAt);
    this.#borne = this.confirmed;
    this.#round = { at, previousAt: roundAt };
  }

  #refuse(call: OpenCall, until: number | undefined, now: number): void {
    this.#starts.remove(call.at);
    const closed = this.#closed;
    if (closed !== undefined) {
      if (closed.probe === call) this.#probeFailed(closed, call, until, now);
      else this.#refusedToo(closed, until);
      return;
    }
    // It was under way when an earlier refusal was noted.
    if (call.at <= this.#strikeAt) return;
    this.#strikeAt = now;
    if (call.doubts !== undefined && this.#doubtFailed(call, until)) return;
    const others = this.#open.length;
    if (this.#top !== undefined) {
      this.#isTopRefuted = others < this.#top;
      this.#top = undefined;
    }
    const count = this.#learn(call, until, now);
    const isTestable = !this.#isTopRefuted && others > 0 && count > others;
    const isShort = until === undefined || until - now <= MAX_TEST_WAIT_MS;
    this.#closed = {
      since: now,
      until,
      isCounted: count > 0,
      ...(isTestable && isShort && { test: { others, isDue: false } }),
    };
  }

  /** @returns the calls of this round; 0 where they say nothing of the limit */
  #learn(call: OpenCall, until: number | undefined, now: number): number {
    this.#round ??= { at: call.at, previousAt: undefined };
    const { at: roundAt, previousAt } = this.#round;
    const count = this.ofRound;
    const learnt = this.#learnt;
    if (count === 0 && previousAt !== undefined && learnt !== undefined) {
      // The first call of a round: the period before has not ended.
      this.#round = { at: previousAt, previousAt: undefined };
      this.#learnt = shutAt(learnt, call.at - previousAt, until && until - previousAt);
      return 0;
    }
    this.#most = Math.max(this.#most, count);
    const isLong = until !== undefined && until - now > MAX_LEARNT_PERIOD_MS;
    if (count === 0 || isLong) return 0;
    const toldMs = until && until - roundAt;
    this.#learnt =
      learnt === undefined ? firstLearnt(count, call.at - roundAt, toldMs) : withFewerCalls(learnt, count, toldMs);
    if (this.#isProven && !this.#doubt.isRaised) this.#doubt.restart();
    else this.#doubt.stop();
    this.#isProven = false;
    return count;
  }

  /** Refused with the call that was heard of first: then it was not let in either. */
  #refusedToo(closed: Closed, until: number | undefined): void {
    if (closed.isCounted && this.#learnt !== undefined) {
      this.#learnt = { ...this.#learnt, calls: Math.max(1, this.ofRound) };
    }
    if (until !== undefined) closed.until = Math.max(closed.until ?? 0, until);
  }

  /** @returns whether that is all there is to it */
  #doubtFailed(call: OpenCall, until: number | undefined): boolean {
    const learnt = this.#learnt;
    this.#doubt.fail();
    if (call.doubts === 'at-once') {
      if (this.#top === undefined || this.#open.length < this.#top) return false;
      this.#top = Math.min(this.#top, this.#open.length);
      return true;
    }
    if (learnt === undefined) return false;
    const roundAt = this.#round?.at ?? call.at;
    const toldMs = until && until - roundAt;
    if (call.doubts === 'period') {
      this.#isPeriodDoubted = false;
      this.#learnt = shutAt(learnt, call.at - roundAt, toldMs);
      return true;
    }
    if (this.ofRound < learnt.calls) return false;
    this.#learnt = confirmedBy(learnt, toldMs);
    return true;
  }

  #probeFailed(closed: Closed, { at, isTest }: OpenCall, until: number | undefined, now: number): void {
    closed.probe = undefined;
    if (isTest) {
      closed.test = undefined;
      this.#isTopRefuted = true;
    }
    const roundAt = this.#round?.at ?? at;
    if (this.#learnt !== undefined) this.#learnt = shutAt(this.#learnt, at - roundAt, until && until - roundAt);
    closed.since = now;
    closed.until = until === undefined ? undefined : Math.max(closed.until ?? 0, until);
  }

  #opensAt({ since, until }: Closed): number {
    if (until !== undefined) return until;
    const roundAt = this.#round?.at ?? since;
    const learnt = this.#learnt;
    if (learnt !== undefined && learnt.periodMs < Infinity) {
      const growth = learnt.shutMs >= learnt.periodMs ? KNOWN_PROBE_GROWTH : 1;
      return Math.max(since + MIN_PROBE_PAUSE_MS, roundAt + Math.max(learnt.periodMs, learnt.shutMs * growth));
    }
    const shutMs = Math.max(since - roundAt, 1, learnt?.shutMs ?? 0);
    return since + Math.min(MAX_PROBE_PAUSE_MS, Math.max(FIRST_PROBE_MS, roundAt + shutMs * PROBE_GROWTH - since));
  }

  /** Where an equal has found how many calls there may be, and nobody yet for how long. */
  #closeWhenFull(now: number): void {
    if (this.#closed !== undefined || this.#learnt?.periodMs !== Infinity) return;
    if (this.ofRound >= this.#learnt.calls) this.#closed = { since: now, until: undefined, isCounted: false };
  }

  #beginRound(now: number): void {
    const round = this.#round;
    if (round !== undefined && now < round.at + (this.#learnt?.periodMs ?? ROUND_MS)) return;
    const learnt = this.#learnt;
    const isSteady = learnt !== undefined && this.ofRound >= learnt.calls;
    const wasFull = isSteady || (this.#top !== undefined && this.ofRound > this.#top);
    this.#borne = this.confirmed;
    this.#round = { at: now, previousAt: round?.at };
    this.#isProven ||= isSteady;
    this.#isPeriodDoubted = false;
    if (!this.#doubt.beginRound(wasFull, learnt?.calls ?? this.#top ?? 0, this.#most)) return;
    this.#isCallsTurn = !this.#isCallsTurn;
    if (learnt !== undefined && isPeriodVague(learnt) && !this.#isCallsTurn) this.#isPeriodDoubted = true;
    else this.#doubt.begin();
  }

  #doubted(now: number): OpenCall['doubts'] {
    if (this.#top !== undefined && this.#open.length >= this.#top) return 'at-once';
    const learnt = this.#learnt;
    if (learnt === undefined || this.#starts.nextAt(learnt.calls, learnt.periodMs) <= now) return undefined;
    return this.#isPeriodDoubted ? 'period' : 'calls';
  }

  #mostAtOnce(): number {
    const configured = this.configured.atOnce ?? Infinity;
    if (this.#top === undefined || this.#closed?.test?.isDue) return configured;
    return Math.min(configured, this.#top + this.#doubt.step);
  }

  /** Calls that may be refused together when what is known turns out to be wrong. */
  #mostUnsure(): number {
    if (this.configured.rate !== undefined || this.#told.isAny || this.#top !== undefined) return Infinity;
    if (this.#learnt === undefined) return FIRST_CALLS + this.borne / 2;
    if (!this.#isProven) return FIRST_CALLS + Math.max(this.confirmed, this.#borne * CAREFUL_SHARE) / 3;
    return this.#learnt.periodMs < 3 * LET_IN_MS ? Infinity : Math.max(FIRST_CALLS, this.#learnt.calls / 3);
  }

  #learntAt(now: number): number {
    const learnt = this.#learnt;
    if (learnt === undefined) return now;
    const at = this.#starts.nextAt(learnt.calls, learnt.periodMs);
    if (at <= now) return now;
    const round = this.#round;
    if (round === undefined || this.ofRound < learnt.calls) return at;
    const { step } = this.#doubt;
    if (step > 0 && this.#countDoubting('calls') < step) {
      return Math.max(now, this.#starts.nextAt(learnt.calls + step, learnt.periodMs));
    }
    if (!this.#isPeriodDoubted || this.#open.some(({ doubts }) => doubts === 'period')) return at;
    return Math.min(at, Math.max(now, round.at + middleMs(learnt)));
  }

  #configuredAt(now: number): number {
    const { rate } = this.configured;
    return rate === undefined
      ? now
      : Math.max(now, this.#starts.nextAt(rate.calls, rate.periodMs + guardMs(rate.periodMs)));
  }

  /** Calls beyond the learnt limit that are wanted until then, to doubt it. */
  #doubting(until: number): number {
    const learnt = this.#learnt;
    if (learnt === undefined || this.#round === undefined || this.ofRound < learnt.calls) return 0;
    if (this.#isPeriodDoubted) return this.#round.at + middleMs(learnt) <= until ? 1 : 0;
    return this.#doubt.step;
  }

  #countDoubting(what: OpenCall['doubts']): number {
    return this.#open.filter(({ doubts, isLetIn }) => doubts === what && !isLetIn).length;
  }

  #unsure(): OpenCall[] {
    return this.#open.filter(({ isLetIn }) => !isLetIn);
  }
}
