/**
 * Takes back the calls of a batch with what they said of their keys, and places those tasks again
 * that were limited or refused. Pure over the pool's state.
 */

import { addStarts, removeStart } from '../../../shared/pace/start-log.ts';
import { cool } from './cooldown.ts';
import { MINUTE_MS } from './gate.ts';
import { correctLimit, easeGap, learnLimit, noteProven } from './learning.ts';
import { type KeyDecision, placeAgain } from './lease.ts';
import { type Outlook, outlookOf } from './outlook.ts';
import type { Key, Pool, Quota, ReportedAllowance } from './pool.ts';
import { release } from './release.ts';
import { noteRefused, noteWorked } from './standing.ts';
import type { Allowance, KeyReport, LimitFacts } from './verdict.ts';

export interface GiveBackRequest {
  readonly block: string;
  readonly reports: readonly KeyReport[];
}

/** Something that people should know, once. */
export interface KeyNotice {
  readonly kind: 'refused' | 'quota-exhausted';
  readonly key: number;
  readonly fingerprint: string;
  readonly httpStatus?: number;
  readonly until?: number;
}

export interface GiveBackAnswer {
  /** Of the tasks that were limited or refused. */
  readonly decisions: readonly KeyDecision[];
  readonly notices: readonly KeyNotice[];
  readonly outlook: Outlook;
}

/** The backend counts a call when it arrives: about when it was started, if that took no longer. */
const ARRIVES_WITHIN_MS = 1_000;

const MAX_CONCURRENCY = 1_000;

const SOON_MS = 10_000;

/** Weight of the newest call in the moving averages. */
const NEWEST = 0.1;

export function giveBack(pool: Pool, { block: id, reports }: GiveBackRequest, now: number): GiveBackAnswer {
  const block = pool.blocks.get(id);
  const peaks = new Map(Array.from(pool.keys.values(), (key) => [key, key.inFlight]));
  const notices: KeyNotice[] = [];
  const again: string[] = [];
  // What worked is heard first: it says whose fault a refusal is. Limits are learnt when all are back.
  const heard = [...reports].sort((a, b) => rank(a) - rank(b) || a.endedAt - b.endedAt);
  const limited: { readonly quota: Quota; readonly resetAt: number | undefined; readonly until: number }[] = [];
  for (const report of heard) {
    const held = release(pool, block, report.task);
    if (held === undefined || block === undefined) {
      // The pool was restarted since, or the call was taken as lost: the task still needs a place.
      if ((report.verdict.kind === 'limited' || report.verdict.kind === 'refused') && !report.isOver) {
        again.push(report.task);
      }
      continue;
    }
    const { key, quota, wasProbe } = held;
    noteStart(quota, block.leasedAt, report);
    if (report.facts !== undefined) noteFacts(quota, report.facts, now);
    switch (report.verdict.kind) {
      case 'worked':
        pool.callMs += NEWEST * (report.endedAt - report.startedAt - pool.callMs);
        quota.strikes = 0;
        grow(key);
        easeGap(pool);
        noteWorked(key, report.startedAt, wasProbe);
        break;
      case 'limited': {
        key.rateLimited += 1;
        const isNews = quota.cooling === undefined || report.startedAt >= quota.cooling.since;
        const { until, displaced } = cool(quota, report.verdict, report.startedAt, now);
        for (const { at, count } of displaced) addStarts(pool.displaced, at, count);
        if (isNews) {
          shrink(key, peaks.get(key) ?? 1, until - now);
          if (!report.verdict.quota) limited.push({ quota, resetAt: report.verdict.resetAt, until });
          else notices.push({ kind: 'quota-exhausted', key: key.number, fingerprint: key.fingerprint, until });
        } else {
          correctLimit(pool, quota);
        }
        if (!report.isOver) again.push(report.task);
        break;
      }
      case 'refused': {
        const { httpStatus } = report.verdict;
        const refusal = { task: report.task, at: report.startedAt, httpStatus };
        const isNews = noteRefused(key, refusal, wasProbe, now);
        if (isNews) notices.push({ kind: 'refused', key: key.number, fingerprint: key.fingerprint, httpStatus });
        if (!report.isOver) again.push(report.task);
        break;
      }
      case 'unknown':
      case 'unused':
        break;
    }
  }
  if (block?.open.size === 0) pool.blocks.delete(id);
  for (const { quota, resetAt, until } of limited) learnLimit(pool, quota, resetAt, until, now);
  for (const quota of pool.quotas.values()) noteProven(pool, quota, now);
  const decisions = placeAgain(pool, again, now);
  return { decisions, notices, outlook: outlookOf(pool, now) };
}

function rank({ verdict }: KeyReport): number {
  return verdict.kind === 'limited' || verdict.kind === 'refused' ? 1 : 0;
}

/** Moves the start from the lease to when the call was really made; one that was not let in is no start. */
function noteStart(quota: Quota, leasedAt: number, { verdict, startedAt, endedAt }: KeyReport): void {
  removeStart(quota.starts, leasedAt);
  if (verdict.kind === 'unused' || verdict.kind === 'limited' || verdict.kind === 'refused') return;
  addStarts(quota.starts, Math.max(leasedAt, Math.min(endedAt, startedAt + ARRIVES_WITHIN_MS)), 1);
}

function grow(key: Key): void {
  const step = key.hasHitLimit ? 1 / key.concurrency : 1;
  key.concurrency = Math.min(MAX_CONCURRENCY, key.concurrency + step);
}

/**
 * A limit that clears soon may be one on calls at a time, and halves what was under way. One that
 * takes long is a window's; it says little about calls at a time.
 */
function shrink(key: Key, peak: number, coolsForMs: number): void {
  const factor = coolsForMs <= SOON_MS ? 0.5 : 0.9;
  key.concurrency = Math.max(1, Math.floor(Math.min(key.concurrency, Math.max(peak, 1)) * factor));
  key.hasHitLimit = true;
}

function noteFacts(quota: Quota, { requests, tokens, tokensUsed }: LimitFacts, now: number): void {
  if (tokensUsed !== undefined) {
    quota.tokensPerCall =
      quota.tokensPerCall === 0 ? tokensUsed : quota.tokensPerCall + NEWEST * (tokensUsed - quota.tokensPerCall);
  }
  if (requests !== undefined) quota.requests = reported(requests, quota.requests, now);
  if (tokens !== undefined) quota.tokens = reported(tokens, quota.tokens, now);
}

/** A window that the backend does not state is at least as long as the longest wait it has asked for. */
function reported(allowance: Allowance, before: ReportedAllowance | undefined, now: number): ReportedAllowance {
  const { limit, remaining, resetAt, windowMs } = allowance;
  const seen = before !== undefined && before.limit === limit ? before.windowMs : 0;
  return { limit, remaining, resetAt, windowMs: windowMs ?? (Math.max(seen, resetAt - now) || MINUTE_MS) };
}
