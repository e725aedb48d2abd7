/**
 * Takes calls back with what they said of their keys; tasks that were limited or refused ask anew. Changes
 * the pool in place, without I/O.
 */
import type { ToldLimit } from '../../../shared/capacity/limit.ts';
import { keepNewest } from '../../../shared/newest.ts';
import { isAboutKey, type KeyFeedback, type KeyReport, type LimitFacts } from './feedback.ts';
import { abandonLease, endCall, endLease } from './lease.ts';
import { noteArrival } from './line.ts';
import { isOutage, isTried, placesOf, refusalsOf } from './place.ts';
import { equalsOf, knownBucket, type LeasedCall, limit, noteNews, type Pool, type Room } from './pool.ts';
import {
  clearTask,
  hasRefused,
  holdAll,
  isLongOutage,
  noteRefused,
  noteWorked,
  pardon,
  pending,
  type RefusalState,
} from './status.ts';

export interface KeyRelease {
  readonly leaseId: string;
  /** Absent: nothing of the lease is used. */
  readonly reports?: readonly KeyReport[] | undefined;
  /** Tasks whose calls say no more than that the key worked: most of them, and an id costs a tenth of a report. */
  readonly worked?: readonly string[] | undefined;
  /** The bucket of each task that was woken from its line and asks for no key: it has ended, or waits for something else. */
  readonly elsewhere?: readonly string[] | undefined;
}

/** Something that people should know, once. */
export interface KeyNotice {
  readonly kind: 'refused' | 'quota-exhausted';
  readonly key: number;
  readonly fingerprint: string;
  readonly httpStatus?: number;
  readonly until?: number;
}

/** A quota that is used up, and no word of when it is there again: 1 h, 2 h, … a day. */
const FIRST_QUOTA_PAUSE_MS = 3_600_000;
const MAX_QUOTA_PAUSE_MS = 86_400_000;

const NEWEST = 0.1;
const MAX_TOO_LARGE = 500;
const MAX_PARDONED = 1_000;

export function release(
  pool: Pool,
  { leaseId, reports, worked = [], elsewhere = [] }: KeyRelease,
  now: number,
): KeyNotice[] {
  for (const bucket of elsewhere) noteArrival(pool, knownBucket(pool, bucket), true, now);
  if (reports === undefined) {
    abandonLease(pool, leaseId, now);
    return [];
  }
  const lease = pool.leases.get(leaseId);
  if (lease === undefined) return [];
  const notices: KeyNotice[] = [];
  const touched = new Set<Room>();
  // What worked is read first: it says whose fault a refusal is.
  const plain = worked.map((task): KeyReport => ({ task, feedback: { kind: 'worked' } }));
  for (const report of [...plain, ...[...reports].sort((a, b) => rank(a) - rank(b))]) {
    const call = lease.open.get(report.task);
    if (call === undefined) continue;
    lease.open.delete(report.task);
    endCall(call.key, call.room, report.task);
    touched.add(call.room);
    const notice = applyReport(pool, call, report, now);
    if (notice !== undefined) notices.push(notice);
  }
  if (lease.open.size === 0) endLease(pool, leaseId, now);
  for (const room of touched) shareWithEquals(pool, room, now);
  return notices;
}

function rank({ feedback: { kind } }: KeyReport): number {
  return kind === 'worked' ? 0 : 1;
}

function applyReport(pool: Pool, call: LeasedCall, report: KeyReport, now: number): KeyNotice | undefined {
  const { key, room, ticket, startedAt } = call;
  const { task, facts } = report;
  const isOfBefore = startedAt < room.resetAt && isAboutKey(report.feedback);
  const feedback: KeyFeedback = isOfBefore ? { kind: 'unknown' } : report.feedback;
  const { limiter } = room;
  const about = { key: key.number, fingerprint: key.fingerprint };
  switch (feedback.kind) {
    case 'worked':
      limiter.end(ticket, { kind: 'let-in' }, now);
      room.exhausted = undefined;
      noteWorkedEverywhere(pool, call, task, now);
      break;
    case 'limited': {
      key.rateLimited += 1;
      const until = feedback.quota ? exhaustedUntil(room, feedback.resetAt, now) : feedback.resetAt;
      limiter.end(ticket, { kind: 'limited', until }, now);
      if (feedback.quota) return { kind: 'quota-exhausted', ...about, ...(until !== undefined && { until }) };
      break;
    }
    case 'refused': {
      limiter.end(ticket, { kind: 'unused' }, now);
      const { httpStatus } = feedback;
      const state = feedback.about === 'bucket' ? room.refusals : key.refusals;
      const isRepeated = hasRefused(state, task);
      if (feedback.about === 'bucket') {
        noteNews(pool);
        // It was never seen to work: no task waits for its return.
        if (state.workedAt === 0) state.refusingSince = now;
      }
      const isNews = noteRefused(state, task, startedAt, httpStatus, now);
      holdInOutage(pool, room.bucket, !isRepeated, now);
      if (isNews && feedback.about === 'key') return { kind: 'refused', ...about, httpStatus };
      break;
    }
    case 'too-large': {
      limiter.end(ticket, { kind: 'unused' }, now);
      const keys = pool.tooLarge.get(task)?.keys ?? new Set();
      pool.tooLarge.set(task, { keys: keys.add(key.fingerprint), httpStatus: feedback.httpStatus });
      keepNewest(pool.tooLarge, MAX_TOO_LARGE);
      break;
    }
    case 'unknown':
    case 'unused':
      limiter.end(ticket, { kind: feedback.kind }, now);
      break;
  }
  if (facts !== undefined) noteFacts(pool, room, facts, now);
  return undefined;
}

function holdInOutage(pool: Pool, bucket: string, isNew: boolean, now: number): void {
  const places = placesOf(pool, bucket);
  if (isOutage(places)) holdAll(refusalsOf(places), isNew, now);
}

/** All keys have refused everybody for long, and one works: who was refused meanwhile is asked once more, and once only. */
function pardonAll(pool: Pool, states: readonly RefusalState[]): void {
  const refused = states.flatMap((state) => pending(state).map(({ task }) => task));
  const first = new Set(refused.filter((task) => !pool.pardoned.has(task)));
  for (const state of states) pardon(state, (task) => first.has(task));
  for (const task of first) pool.pardoned.add(task);
  keepNewest(pool.pardoned, MAX_PARDONED);
}

function noteWorkedEverywhere(pool: Pool, { key, room, startedAt }: LeasedCall, task: string, now: number): void {
  pool.workedAt = now;
  const places = placesOf(pool, room.bucket);
  const own = [key.refusals, room.refusals];
  const isOverForAll = places.length > 1 && places.every(isTried);
  if (isOverForAll && own.some((state) => isLongOutage(state, now))) pardonAll(pool, refusalsOf(places));
  for (const state of own) noteWorked(state, task, startedAt);
  pool.tooLarge.delete(task);
  noteNews(pool);
  for (const state of refusalsOf(places)) clearTask(state, task, startedAt, now);
}

function exhaustedUntil(room: Room, resetAt: number | undefined, now: number): number {
  const times = (room.exhausted?.times ?? 0) + 1;
  const byDefault = now + Math.min(MAX_QUOTA_PAUSE_MS, FIRST_QUOTA_PAUSE_MS * 2 ** Math.min(10, times - 1));
  const until = Math.min(resetAt ?? byDefault, now + MAX_QUOTA_PAUSE_MS);
  room.exhausted = { times, until };
  return until;
}

function noteFacts(pool: Pool, room: Room, { requests, tokens, tokensUsed }: LimitFacts, now: number): void {
  const { limiter } = room;
  if (tokensUsed !== undefined) {
    const before = room.tokensPerCall;
    room.tokensPerCall = before === 0 ? tokensUsed : before + NEWEST * (tokensUsed - before);
    limit(pool, room);
  }
  if (requests !== undefined) limiter.tell('requests', requests, now);
  if (tokens !== undefined) limiter.tell('tokens', inCalls(tokens, room.tokensPerCall), now);
}

/** Tokens as calls of the mean size. A call larger than the whole allowance still has to be tried. */
function inCalls(told: ToldLimit, tokensPerCall: number): ToldLimit {
  const cost = Math.min(Math.max(1, tokensPerCall), told.limit);
  return { ...told, limit: Math.floor(told.limit / cost), remaining: Math.floor(told.remaining / cost) };
}

function shareWithEquals(pool: Pool, room: Room, now: number): void {
  for (const other of equalsOf(pool, room.bucket)) if (other !== room) other.limiter.learnFrom(room.limiter, now);
}
