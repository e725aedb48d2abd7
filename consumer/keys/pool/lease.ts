/**
 * Gives calls their keys: for each a key now, a moment to wait in place, or a place in the line (rules R20
 * and R22). The least used key goes first. While a line stands, newcomers join its end. Changes the pool
 * in place, without I/O.
 */
import { type LeaseAnswer, type LeaseCall, type LeaseRequest, waitsInPlace } from '../../../shared/capacity/lease.ts';
import { bucketLine, joinLine, noteArrival, roomWithin } from './line.ts';
import {
  type ConfiguredLimits,
  type Key,
  keysOf,
  knownBucket,
  type Lease,
  limitOf,
  type Member,
  type Pool,
  type Room,
  recentCalls,
  roomOf,
  setMembers,
  WHOLE_KEY,
} from './pool.ts';
import { blameOf, isRefusedBy, isRefusing, isSuspected, openAt } from './status.ts';

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

export interface KeyRequest extends LeaseRequest<KeyCall> {
  readonly members: readonly Member[];
  readonly configured: ConfiguredLimits;
  readonly shard: number;
  /** That have keys of the pool too. */
  readonly otherShards: readonly number[];
}

export type KeyAnswer = LeaseAnswer<{ readonly key: number }>;

/** A canary key goes ahead of its equals while no limit is known; the others may do this much without it. */
const CALLS_WITHOUT_CANARY = 4;

/** While calls must end before there is room, looks again after this. */
const PAUSE_MS = 100;

/** As long as `waitsInPlace` allows. */
const MAX_IN_PLACE_MS = 2_000;
const LATE_MS = 1_000;

/** Answers to questions that nothing was given for are kept this long, for a repeat. */
const REPEATED_WITHIN_MS = 30_000;

export function lease(pool: Pool, request: KeyRequest, now: number): readonly KeyAnswer[] {
  const { leaseId, expiresAt, calls } = request;
  setMembers(pool, request.members);
  Object.assign(pool, { configured: request.configured, shard: request.shard, otherShards: request.otherShards });
  expireLeases(pool, now);
  const earlier = pool.leases.get(leaseId);
  if (earlier !== undefined) return earlier.answers as readonly KeyAnswer[];
  const open: Lease['open'] = new Map();
  const answers = calls.map((call) => answerTo(pool, call, open, now));
  // Also where nothing was given: a repeated question must not be counted twice.
  pool.leases.set(leaseId, { expiresAt: open.size > 0 ? expiresAt : now + REPEATED_WITHIN_MS, answers, open });
  return answers;
}

/** Ends the calls of a lease as if they had not been made: who asked has given up, or asks no more. */
export function abandonLease(pool: Pool, leaseId: string, now: number): void {
  const lease = pool.leases.get(leaseId);
  pool.leases.delete(leaseId);
  for (const [task, call] of lease?.open ?? []) {
    endCall(call.key, call.room, task);
    call.room.limiter.end(call.ticket, { kind: 'unused' }, now);
  }
}

export function endCall(key: Key, room: Room, task: string): void {
  key.inFlight = Math.max(0, key.inFlight - 1);
  for (const state of [key.refusals, room.refusals]) if (state.prober === task) state.prober = undefined;
}

/** Leases are looked through for old ones no more often than this. */
const EXPIRY_CHECK_MS = 1_000;

function expireLeases(pool: Pool, now: number): void {
  if (now < pool.expiresCheckAt) return;
  pool.expiresCheckAt = now + EXPIRY_CHECK_MS;
  for (const [id, { expiresAt, open }] of pool.leases) {
    if (expiresAt > now) continue;
    for (const [task, { key, room, ticket }] of open) {
      endCall(key, room, task);
      room.limiter.end(ticket, { kind: 'unknown' }, now);
    }
    pool.leases.delete(id);
  }
}

function answerTo(pool: Pool, call: KeyCall, open: Lease['open'], now: number): KeyAnswer {
  const { task } = call;
  const bucket = knownBucket(pool, call.bucket ?? WHOLE_KEY);
  const line = noteArrival(pool, bucket, call.hasArrived === true, now);
  const failure = failureOf(pool, bucket, task);
  if (failure !== undefined) return failure;
  const isBehind = line !== undefined && call.isInTurn !== true;
  const choice = choose(pool, bucket, task, now);
  if (!isBehind && choice.best !== undefined) {
    if (line !== undefined) line.hasGranted = true;
    const { key, room } = choice.best;
    take(pool, key, room, task, open, now);
    return { task, kind: 'granted', key: key.number };
  }
  const reason = choice.isRefused ? 'key-refused' : 'no-key';
  const inPlace = isBehind || call.mustNotWait ? undefined : waitInPlace(pool, bucket, call, choice.nextAt, now);
  if (inPlace !== undefined) return { task, kind: 'start-at', at: inPlace, reason };
  if (!call.neverParks) {
    const joined = joinLine(pool, bucket, now);
    if (call.isInTurn) joined.hasBounced = true;
  }
  const until = choice.nextAt > now && choice.nextAt < Infinity ? choice.nextAt : undefined;
  return { task, kind: 'park', line: bucketLine(pool.name, bucket), reason, until };
}

/** Refused for what it says: by two keys that worked for others afterwards, or as larger than they allow. */
function failureOf(pool: Pool, bucket: string, task: string): KeyAnswer | undefined {
  const keys = keysOf(pool);
  const large = pool.tooLarge.get(task);
  if (large !== undefined && large.keys.size >= Math.min(2, keys.length)) {
    const detail = 'The request is larger than the limit of the API keys that it was tried with.';
    return { task, kind: 'fail', httpStatus: large.httpStatus, detail };
  }
  const rooms = [...new Set(keys.map(({ quotaId }) => roomOf(pool, quotaId, bucket)))];
  if (
    !isRefusedBy(
      [...keys, ...rooms].map(({ refusals }) => refusals),
      task,
    )
  )
    return undefined;
  const status = blameOf(
    [...keys, ...rooms].map(({ refusals }) => refusals),
    task,
  );
  if (status !== undefined) {
    const detail = `The backend refused this task (${status}) with two API keys that work for others.`;
    return { task, kind: 'fail', httpStatus: status, detail };
  }
  // A bucket that has never worked for anyone: what it names is not there, or not for these keys.
  const refusing = rooms.filter(({ refusals }) => refusals.refusals.some((refusal) => refusal.task === task));
  if (refusing.length < Math.min(2, rooms.length) || refusing.length === 0) return undefined;
  if (rooms.some(({ refusals }) => refusals.workedAt > 0)) return undefined;
  const httpStatus = refusing[0]?.refusals.refusals.find((refusal) => refusal.task === task)?.httpStatus ?? 404;
  const what = bucket === WHOLE_KEY ? 'what the task asks for' : bucket;
  return {
    task,
    kind: 'fail',
    httpStatus,
    detail: `The backend refused ${what} (${httpStatus}) with every API key that was tried.`,
  };
}

interface Choice {
  readonly best: { readonly key: Key; readonly room: Room } | undefined;
  /** When a key may be free for the task; infinite when calls must end first. */
  readonly nextAt: number;
  /** All keys are out of use because the backend refuses them. */
  readonly isRefused: boolean;
}

function choose(pool: Pool, bucket: string, task: string, now: number): Choice {
  const keys = keysOf(pool).filter(({ disabledAt }) => disabledAt === undefined);
  const places = keys.map((key) => ({ key, room: roomOf(pool, key.quotaId, bucket) }));
  const isFresh = !isRefusedBy(
    places.flatMap(({ key, room }) => [key.refusals, room.refusals]),
    task,
  );
  const canary = canaryOf(places);
  const isProbing = places.some(({ room: { limiter } }) => limiter.isBlind && limiter.isProbed);
  let best: (typeof places)[number] | undefined;
  let nextAt = Infinity;
  for (const place of places) {
    const { key, room } = place;
    if (pool.tooLarge.get(task)?.keys.has(key.fingerprint)) continue;
    room.limiter.configured = limitOf(pool.configured, room);
    const { limiter } = room;
    const refusedUntil = Math.max(openAt(key.refusals, task, isFresh, now), openAt(room.refusals, task, isFresh, now));
    const isAhead =
      canary !== undefined &&
      canary !== room &&
      limiter.ofRound >= Math.max(CALLS_WITHOUT_CANARY, canary.limiter.confirmed, limiter.borne);
    const waitsForProbe = isProbing && limiter.isBlind;
    const at = Math.max(limiter.nextAt(now), refusedUntil, isAhead || waitsForProbe ? Infinity : 0);
    if (at > now) nextAt = Math.min(nextAt, at);
    else if (best === undefined || goesBefore(place, best, canary, now)) best = place;
  }
  const isRefused =
    keys.length > 0 && places.every(({ key, room }) => isRefusing(key.refusals) || isRefusing(room.refusals));
  return { best, nextAt, isRefused };
}

type Place = { readonly key: Key; readonly room: Room };

/** Where nothing is known of any limit, the one that has done most. */
function canaryOf(places: readonly Place[]): Room | undefined {
  if (places.some(({ room: { limiter } }) => limiter.isKnown)) return undefined;
  let canary: Room | undefined;
  for (const { key, room } of places) {
    if (isSuspected(key.refusals)) continue;
    if (canary === undefined || room.limiter.borne > canary.limiter.borne) canary = room;
  }
  return canary;
}

/** A key that is to be tried comes first, then the canary, then the least used. */
function goesBefore(a: Place, b: Place, canary: Room | undefined, now: number): boolean {
  const [tries, triesOther] = [isSuspected(a.key.refusals), isSuspected(b.key.refusals)];
  if (tries !== triesOther) return tries;
  if (a.room === canary || b.room === canary) return a.room === canary;
  const load = recentCalls(a.key, now) - recentCalls(b.key, now);
  return load !== 0 ? load < 0 : a.key.lastUsedAt < b.key.lastUsedAt;
}

function take(pool: Pool, key: Key, room: Room, task: string, open: Lease['open'], now: number): void {
  const ticket = room.limiter.start(now);
  open.set(task, { key, room, ticket, startedAt: now });
  for (const state of [key.refusals, room.refusals]) if (isSuspected(state)) state.prober = task;
  key.inFlight += 1;
  key.calls += 1;
  key.lastUsedAt = now;
  key.recent = { calls: recentCalls(key, now) + 1, at: now };
  pool.inPlace.get(room.bucket)?.delete(task);
}

/** A moment to wait in place, as long as there will be room for all who wait so. */
function waitInPlace(pool: Pool, bucket: string, { task }: KeyCall, nextAt: number, now: number): number | undefined {
  // A call that ends may make room sooner than the time that is known.
  const isBusy = keysOf(pool).some(({ inFlight }) => inFlight > 0);
  const at = isBusy ? Math.min(nextAt, now + PAUSE_MS) : nextAt;
  if (!waitsInPlace(at, now)) return undefined;
  const others = pool.inPlace.get(bucket) ?? new Map<string, number>();
  pool.inPlace.set(bucket, others);
  for (const [other, until] of others) if (until < now) others.delete(other);
  if (!others.has(task) && others.size >= roomWithin(pool, bucket, now, now + MAX_IN_PLACE_MS)) return undefined;
  others.set(task, at + LATE_MS);
  return at;
}
