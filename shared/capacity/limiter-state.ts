/** What a limiter knows: the calls that it let start, what it has learnt, and whether it is closed. No I/O. */
import type { Doubt } from './doubt.ts';
import type { Learnt, Longer } from './learnt.ts';
import type { ConfiguredLimit } from './limit.ts';
import { Starts } from './starts.ts';
import { ToldLimits } from './told.ts';

/** A refusal comes at once: a call that has been under way for so long was let in. */
export const LET_IN_MS = 1_500;

/** Once refusals were met: so much longer than the slowest of them, and no less than this. */
const SURELY_LET_IN = 4;
const MIN_LET_IN_MS = 250;

/** Quicker calls say by their end that they were let in, and show a limit of a second or more otherwise. */
const SLOW_CALL_MS = 700;

/** Where nothing else says how long a round is. */
export const ROUND_MS = 60_000;

export const FIRST_MEAN_MS = 1_000;

/** Calls that must have been let in, for each of those at a time, before such a limit is believed. */
const TURNS_TO_HOLD = 3;

/** How often an equal that bears far more is believed. */
const MAX_COPIES = 2;

export interface OpenCall {
  readonly ticket: number;
  readonly at: number;
  /** More than the learnt limit allows: it tries the number of calls, how long the period is, calls at a time, or the longer limit. */
  readonly doubts: 'calls' | 'period' | 'at-once' | 'longer' | undefined;
  /** It tries, after another has ended, whether there is a limit of calls at a time. */
  readonly isTest: boolean;
  /** Calls that were under way when it started. */
  readonly beside: number;
}

export interface Closed {
  /** Time of the last refusal. */
  since: number;
  /** As told; a silent backend is tried at growing intervals. */
  until: number | undefined;
  /** The one call that tries it. */
  probe?: OpenCall | undefined;
  /** A limit of calls at a time would explain it: `others` were beside the refused one. Tried when one of them ends. */
  test?: { readonly others: number; readonly ticket: number; isDue: boolean } | undefined;
  /** Calls that turn out to have been refused with the first one make the learnt number smaller. */
  isCounted: boolean;
  /** What was known before: it holds again where nothing of the round turns out to have been let in. */
  readonly before?: Learnt | undefined;
  /** Start of the call that was refused first. */
  readonly refusedAt: number;
  /** What was counted before it may have gone over several periods. */
  readonly mayBeOfSeveral?: boolean;
  /** It says nothing of this round. */
  readonly isOfBefore?: boolean;
  /** What had held until then: it holds on where another limit, over a longer time, is used up. */
  readonly held?: Learnt | undefined;
  /** Calls that tried it in vain. */
  failures: number;
  /** Nobody had counted the calls before it; some that were let in are told afterwards. */
  isUncounted?: boolean;
}

/**
 * How long a backend that says no time is left alone at least: from the first refusal on, doubling with each call that
 * tries it; and it is tried where periods usually end.
 */
export interface SilentPause {
  readonly firstMs: number;
  readonly mostMs: number;
}

export class LimiterState {
  configured: ConfiguredLimit = {};
  learnt: Learnt | undefined;
  /** Beside it. */
  longer: Longer | undefined;
  /** Since when its calls are counted, and how often it was used up since it was doubted. */
  longerRound: { readonly at: number; readonly full: number } | undefined;
  /** Calls at a time, as learnt. */
  top: number | undefined;
  /** Calls that were let in since. */
  heldTop = 0;
  closed: Closed | undefined;
  readonly told = new ToldLimits();
  readonly starts = new Starts();
  /** Oldest first. */
  readonly open: OpenCall[] = [];
  /** Of the open calls, the oldest that were let in for sure. */
  letIn = 0;
  readonly doubt: Doubt;
  readonly silentPause: SilentPause;
  round: { readonly at: number; readonly previousAt: number | undefined } | undefined;
  lastTicket = 0;
  strikeAt = -1;
  isTopRefuted = false;
  /** One more was refused while so many were under way. */
  isTopObserved = false;
  /** Calls beyond it that were let in one after the other. */
  topPasses = 0;
  /** A number of calls at a time that was let in, though fewer had been taken for the limit. */
  refutedTop = 0;
  /** Refusals with fewer calls under way than `top`. */
  topMisses = 0;
  /** What was learnt has held for a full round. */
  isObserved = false;
  /** For so many. */
  heldRounds = 0;
  /** The most calls that were let in before a refusal: what may be saved up when fewer are made. */
  most = 0;
  isPeriodDoubted = false;
  /** The longest time after a refusal at which a call was refused too, where the calls before it were not counted. */
  shutMs = 0;
  /** So many were let in before anybody counted, and the backend was open again so long after the first of them. */
  uncounted: { readonly calls: number; readonly openMs: number } | undefined;
  /** Refusals that were taken for late ones, since a round was full. */
  slid = 0;
  copiesLeft = MAX_COPIES;
  /** What was learnt is an equal's, and nothing of one's own has been added to it. */
  copied: Learnt | undefined;
  /** Of the times that calls take. */
  meanMs: number | undefined;
  /** The longest that a refusal took. */
  refusedMs: number | undefined;
  /** The calls of one period were counted apart: a time that is told is only the longest that it may be. */
  isMeasured = false;
  /** Calls that were let in in the round before. */
  borneBefore = 0;
  /** Calls that were let in since the latest refusal, or since an equal's limit was taken over. */
  letInSince = 0;

  constructor(doubt: Doubt, silentPause: SilentPause) {
    this.doubt = doubt;
    this.silentPause = silentPause;
  }

  /** A call that has been under way for so long was let in. */
  get letInMs(): number {
    const { refusedMs } = this;
    return refusedMs === undefined || !this.hasSlowCalls
      ? LET_IN_MS
      : Math.min(LET_IN_MS, Math.max(MIN_LET_IN_MS, SURELY_LET_IN * refusedMs));
  }

  get hasSlowCalls(): boolean {
    return this.meanMs === undefined || this.meanMs > SLOW_CALL_MS;
  }

  get ofRound(): number {
    return this.starts.countSince(this.round?.at ?? -Infinity);
  }

  /** Open calls that may still be refused. */
  get unsure(): number {
    return this.open.length - this.letIn;
  }

  get confirmed(): number {
    return this.ofRound - this.unsure;
  }

  get borne(): number {
    return Math.max(this.confirmed, this.borneBefore);
  }

  get hasTopHeld(): boolean {
    return this.heldTop >= TURNS_TO_HOLD * (this.top ?? 0);
  }

  get isCopy(): boolean {
    return this.learnt !== undefined && this.learnt === this.copied;
  }
}
