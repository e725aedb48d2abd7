/**
 * Gives calls their keys: for each a key now, a moment to wait in place, or a place in the line (rules R20
 * and R22). The least used key goes first. While a line stands, newcomers join its end. Changes the pool
 * in place, without I/O.
 */
import { type LeaseAnswer, type LeaseCall, type LeaseRequest, waitsInPlace } from '../../../shared/capacity/lease.ts';
import { poolLine, refusedLine } from '../../../shared/capacity/line.ts';
import { type Choice, choose, PAUSE_MS } from './choice.ts';
import { joinLine, noteArrival, roomWithin } from './line.ts';
import { isTried, opensBySaid, placesOf } from './place.ts';
import {
  type ConfiguredLimits,
  configure,
  fadeRecentCalls,
  inPlaceOf,
  type Key,
  type KeyPlace,
  knownBucket,
  type Lease,
  type Member,
  type Pool,
  type Room,
  setMembers,
  WHOLE_KEY,
} from './pool.ts';
import { failureOf, hasOtherKey, isRefused, standAside } from './refused.ts';
import { isSuspected } from './status.ts';

export interface KeyCall extends LeaseCall {
  /** It stood in the line and was woken, or it is synchronous: it joins no end. */
  readonly isInTurn?: boolean | undefined;
  /** It was woken, and asks for the first time since. */
  readonly hasArrived?: boolean | undefined;
  /** Nobody wakes it later: it only waits in place. */
  readonly neverParks?: boolean | undefined;
  /** It has waited in place as long as it may. */
  readonly mustNotWait?: boolean | undefined;
}

export interface KeyRequest extends Omit<LeaseRequest, 'calls'> {
  /** Most calls say no more than their task: its id costs a tenth of what an object does on its way here. */
  readonly calls: readonly (string | KeyCall)[];
  /** Brief answers can be read; absent from a consumer of an earlier release. */
  readonly isBrief?: boolean;
  readonly members: readonly Member[];
  readonly configured: ConfiguredLimits;
  readonly shard: number;
  /** That have keys of the pool too. */
  readonly otherShards: readonly number[];
  /** The answer may take a second when there is no key for any of the calls yet. */
  readonly mayWait?: boolean | undefined;
}

export type KeyAnswer = LeaseAnswer<{ readonly key: number }>;

/** In the order of the calls. For the same reason, the number of the key that a call is given and no more, where that can be read. */
export type BriefKeyAnswer = number | KeyAnswer;

/** As long as `waitsInPlace` allows. */
export const MAX_IN_PLACE_MS = 2_000;
/** Whose turn it is was woken a little early where the queue took less time than at other times: in line it would be woken again. */
const IN_TURN_MS = 5_000;
const LATE_MS = 1_000;

/** So many may wait in place for what a call says that tries a key. */
const MAX_UNSURE_IN_PLACE = 32;

/** How exactly it is known when a call's turn comes, and how many look at a time whether it has come sooner. */
const TURN_MS = 5;
const TURNS_A_PAUSE = 8;

/** Answers to questions that nothing was given for are kept this long, for a repeat. */
const REPEATED_WITHIN_MS = 30_000;

export function lease(pool: Pool, request: KeyRequest, now: number): readonly BriefKeyAnswer[] {
  const answers = briefly(pool, request, now);
  if (request.isBrief || request.calls.some((call) => typeof call === 'string')) return answers;
  return answers.map((answer, index) => {
    const call = request.calls[index];
    const task = typeof call === 'object' ? call.task : '';
    return typeof answer === 'number' ? { task, kind: 'granted', key: answer } : answer;
  });
}

function briefly(pool: Pool, request: KeyRequest, now: number): readonly BriefKeyAnswer[] {
  const { leaseId, expiresAt, awaitedUntil = expiresAt, calls } = request;
  setMembers(pool, request.members);
  configure(pool, request.configured);
  Object.assign(pool, { shard: request.shard, otherShards: request.otherShards });
  expireLeases(pool, now);
  const earlier = pool.leases.get(leaseId);
  if (earlier !== undefined) return earlier.answers as readonly BriefKeyAnswer[];
  // Nobody reads the answer: a key that it gave would be held until the lease's end.
  if (pool.ended.has(leaseId) || awaitedUntil <= now) return [];
  fadeRecentCalls(pool.current, now);
  const open: Lease['open'] = new Map();
  const answers = calls.map((call) => answerTo(pool, typeof call === 'string' ? { task: call } : call, open, now));
  // Also where nothing was given: a repeated question must not be counted twice.
  pool.leases.set(leaseId, { expiresAt: open.size > 0 ? expiresAt : now + REPEATED_WITHIN_MS, answers, open });
  return answers;
}

/** Asks once more for what got nothing yet. @returns nothing where who asked has given up: it would hold a key unused */
export function leaseAgain(pool: Pool, request: KeyRequest, now: number): readonly BriefKeyAnswer[] {
  if (pool.leases.get(request.leaseId)?.open.size === 0) pool.leases.delete(request.leaseId);
  return lease(pool, request, now);
}

/** Ends the calls of a lease as if they had not been made: who asked has given up, or asks no more. */
export function abandonLease(pool: Pool, leaseId: string, now: number): void {
  endOpen(pool.leases.get(leaseId), 'unused', now);
  endLease(pool, leaseId, now);
}

function endOpen(lease: Lease | undefined, kind: 'unused' | 'unknown', now: number): void {
  for (const [task, { key, room, ticket }] of lease?.open ?? []) {
    endCall(key, room, task);
    room.limiter.end(ticket, { kind }, now);
  }
}

/** It gets no keys any more, however late its question comes. */
export function endLease(pool: Pool, leaseId: string, now: number): void {
  pool.leases.delete(leaseId);
  pool.ended.set(leaseId, now + ENDED_MS);
}

export function endCall(key: Key, room: Room, task: string): void {
  key.inFlight = Math.max(0, key.inFlight - 1);
  for (const state of [key.refusals, room.refusals]) if (state.prober === task) state.prober = undefined;
}

/** An invocation's longest time, in which it may ask. */
const ENDED_MS = 900_000;
/** More are forgotten before their time. */
const MAX_ENDED = 10_000;

/** Leases are looked through for old ones no more often than this. */
const EXPIRY_CHECK_MS = 1_000;

function expireLeases(pool: Pool, now: number): void {
  if (now < pool.expiresCheckAt) return;
  pool.expiresCheckAt = now + EXPIRY_CHECK_MS;
  for (const [id, until] of pool.ended) {
    if (until > now && pool.ended.size <= MAX_ENDED) break;
    pool.ended.delete(id);
  }
  for (const [id, lease] of pool.leases) {
    if (lease.expiresAt > now) continue;
    endOpen(lease, 'unknown', now);
    pool.leases.delete(id);
  }
}

function answerTo(pool: Pool, call: KeyCall, open: Lease['open'], now: number): BriefKeyAnswer {
  const { task } = call;
  const bucket = knownBucket(pool, call.bucket ?? WHOLE_KEY);
  const line = noteArrival(pool, bucket, call.hasArrived === true, now);
  const places = placesOf(pool, bucket);
  const isFresh = !isRefused(places, task);
  const isOdd = !isFresh || pool.tooLarge.has(task);
  const failure = isOdd ? failureOf(pool, bucket, places, task, now) : undefined;
  if (failure !== undefined) {
    inPlaceOf(pool, bucket).delete(task);
    return failure;
  }
  const isBehind = line !== undefined && call.isInTurn !== true;
  const choice = choose(pool, places, task, isFresh, now);
  if (!isBehind && choice.best !== undefined) {
    if (line !== undefined) line.hasGranted = true;
    take(pool, choice.best, task, isFresh, open, now);
    return choice.best.key.number;
  }
  const isAside = isOdd && !hasOtherKey(pool, places, task, now);
  const reason = choice.isRefused || isAside ? 'key-refused' : 'no-key';
  const inPlace =
    isBehind || call.mustNotWait
      ? undefined
      : isAside
        ? waitAside(choice, now)
        : waitInPlace(pool, bucket, places, call, choice, now);
  if (inPlace !== undefined) return { task, kind: 'start-at', at: inPlace, reason };
  inPlaceOf(pool, bucket).delete(task);
  const opensAt = isAside ? choice.nextAt : opensAtOf(places, now);
  // What is sooner is waited for in place, by those before it.
  const until = opensAt > now + MAX_IN_PLACE_MS && opensAt < Infinity ? opensAt : undefined;
  if (isAside) {
    if (!call.neverParks) standAside(pool, bucket, task, now);
    return { task, kind: 'park', line: refusedLine(pool.name, bucket), reason, until };
  }
  if (!call.neverParks) {
    const joined = joinLine(pool, bucket, now);
    if (call.isInTurn) joined.hasBounced = true;
  }
  return { task, kind: 'park', line: poolLine(pool.name, bucket), reason, until };
}

function opensAtOf(places: readonly KeyPlace[], now: number): number {
  return Math.min(...places.filter((place) => !isTried(place)).map(({ room }) => opensBySaid(room, now)));
}

function take(pool: Pool, { key, room }: KeyPlace, task: string, isFresh: boolean, open: Lease['open'], now: number) {
  const ticket = room.limiter.start(now);
  open.set(task, { key, room, ticket, startedAt: now });
  for (const state of [key.refusals, room.refusals]) if (!isFresh || isSuspected(state)) state.prober = task;
  key.inFlight += 1;
  key.calls += 1;
  key.lastUsedAt = now;
  key.recentCalls += 1;
  inPlaceOf(pool, room.bucket).delete(task);
}

/** A moment to wait in place, as long as there will be room for all who wait so: each asks when its turn may come. */
function waitInPlace(
  pool: Pool,
  bucket: string,
  places: readonly KeyPlace[],
  { task, isInTurn }: KeyCall,
  choice: Choice,
  now: number,
): number | undefined {
  const withinMs = isInTurn ? IN_TURN_MS : MAX_IN_PLACE_MS;
  if (!choice.isOpenedByEnd && !waitsInPlace(choice.nextAt, now, withinMs)) return undefined;
  const others = inPlaceOf(pool, bucket);
  let ahead = 0;
  for (const [other, until] of others) {
    if (other === task) break;
    if (until < now) others.delete(other);
    else ahead += 1;
  }
  // At any moment there may be found to be room for many.
  const isUnsure = places.some(isTried) || places.every(({ room: { limiter } }) => limiter.isUnsure);
  const turnAt = isUnsure && ahead < MAX_UNSURE_IN_PLACE ? now : roomAt(pool, bucket, ahead, now, withinMs);
  if (turnAt === undefined) return undefined;
  const at = Math.min(
    Math.max(choice.nextAt, turnAt),
    choice.isOpenedByEnd ? now + PAUSE_MS * (1 + Math.floor(ahead / TURNS_A_PAUSE)) : Infinity,
  );
  if (!waitsInPlace(at, now, withinMs)) return undefined;
  others.set(task, at + LATE_MS);
  return at;
}

/** When so many others have found room and one more may; undefined when that is too long to wait in place. */
function roomAt(pool: Pool, bucket: string, others: number, now: number, withinMs: number): number | undefined {
  if (roomWithin(pool, bucket, now, now + withinMs) <= others) return undefined;
  let [early, late] = [now, now + withinMs];
  while (late - early > TURN_MS) {
    const middle = (early + late) / 2;
    if (roomWithin(pool, bucket, now, middle) > others) late = middle;
    else early = middle;
  }
  return late;
}

function waitAside({ nextAt }: Choice, now: number): number | undefined {
  return waitsInPlace(nextAt, now) ? nextAt : undefined;
}
