/**
 * The line of tasks that wait for this pool's keys (rule R20). It is common to all shards, and stands in
 * the ledger: a pool only knows that it stands, and pulls from it as many of the oldest as can start by the
 * time at which they will be here. Changes the pool in place, without I/O: what is to be asked of the ledger is
 * returned.
 */
import { poolLine } from '../../../shared/capacity/line.ts';
import type { ReleaseAnswer, ReleaseRequest } from '../../../shared/ledger/line.ts';
import { isBeingTried, isOutage, isTried, openFor, opensBySaid, placesOf } from './place.ts';
import { inPlaceOf, type KeyPlace, LineState, MIN_ASK_PAUSE_MS, type Pool, type Room } from './pool.ts';
import { COMES_WITHIN_MS, notePulledRefused, pullRefused, WRITTEN_WITHIN_MS } from './refused.ts';

/** Tasks are woken so long before there is room: what the queue takes, and a moment in place. */
const IN_PLACE_MS = 1_000;
/** Calls at a time end when they end: so much longer some wait in place, so that no key waits for a task. */
const AT_ONCE_MS = 1_300;
const MAX_AHEAD_MS = 8_000;
const NEWEST = 0.1;

const MAX_ASK_PAUSE_MS = 600_000;
/** Twelve per cent of the time that nobody was served: so a pause is over soon after its cause. */
const ASK_PAUSE_GROWTH = 1.12;
/** Looks again after this, whatever is known. */
const LOOK_AGAIN_MS = 5_000;

/** Other shards are shown the line by one task each. */
const SHOWN_AGAIN_AFTER_MS = 10_000;

const MAX_RELEASED = 1_000;

/** A key that is closed longer than any period lasts adds nothing to how fast the line moves. */
const LONG_MS = 120_000;

export interface Pull {
  readonly bucket: string;
  readonly request: ReleaseRequest;
  /** `other`: to show another shard the line, so nobody comes here. `refused`: of those that stand aside. */
  readonly of: 'line' | 'other' | 'refused';
}

export function joinLine(pool: Pool, bucket: string, now: number): LineState {
  return Object.assign(lineOf(pool, bucket, now), { joinedAt: now });
}

/** @returns the line, where one stands. A task that was woken from it shows that it does. */
export function noteArrival(pool: Pool, bucket: string, hasArrived: boolean, now: number): LineState | undefined {
  if (!hasArrived) return pool.lines.get(bucket);
  const line = lineOf(pool, bucket, now - WRITTEN_WITHIN_MS);
  const [oldest] = line.coming;
  if (oldest !== undefined) {
    line.delayMs += NEWEST * (now - oldest.at - line.delayMs);
    oldest.count -= 1;
    if (oldest.count <= 0) line.coming.shift();
  }
  return line;
}

function lineOf({ lines }: Pool, bucket: string, joinedAt: number): LineState {
  const line = lines.get(bucket) ?? new LineState(joinedAt);
  lines.set(bucket, line);
  return line;
}

/** Something has changed for those that stand there: the ledger is asked without a pause. */
export function hastenLines(pool: Pool): void {
  for (const line of pool.lines.values()) Object.assign(line, { askedAt: 0, askPauseMs: MIN_ASK_PAUSE_MS });
}

/** What is to be asked of the ledger now, and when to look again, Unix ms; infinite where nothing stands. */
export function pull(pool: Pool, now: number): { readonly pulls: Pull[]; readonly nextAt: number } {
  const pulls: Pull[] = [];
  let nextAt = Infinity;
  for (const [bucket, state] of pool.refused) {
    const soon = roomWithin(pool, bucket, now, now + IN_PLACE_MS);
    const { request, nextAt: againAt } = pullRefused(pool, bucket, state, soon, now);
    nextAt = Math.min(nextAt, Math.max(now + MIN_ASK_PAUSE_MS, againAt));
    if (request === undefined) continue;
    // Tasks that are woken by name keep their room from now on, as if they waited in place.
    const here = request.shard === pool.shard ? (request.tasks ?? []) : [];
    for (const task of here) inPlaceOf(pool, bucket).set(task, now + COMES_WITHIN_MS);
    pulls.push({ bucket, request, of: 'refused' });
  }
  for (const [bucket, line] of pool.lines) {
    if (line.isAsking) continue;
    while (line.coming[0] !== undefined && line.coming[0].at < now - COMES_WITHIN_MS) line.coming.shift();
    const aheadMs = Math.min(MAX_AHEAD_MS, line.delayMs + IN_PLACE_MS);
    const coming = line.coming.reduce((sum, { count }) => sum + count, 0);
    const room = roomWithin(pool, bucket, now, now + aheadMs) - coming - waitingInPlace(pool, bucket, now);
    const mayAskAt = line.askedAt + line.askPauseMs;
    const hasStopped = room < 1 && line.isMoving && takingCalls(pool, bucket, now).length === 0;
    if ((room >= 1 || hasStopped) && mayAskAt <= now) {
      const limit = Math.min(MAX_RELEASED, Math.max(1, Math.floor(room)));
      pulls.push({ bucket, request: requestOf(pool, bucket, limit, now), of: 'line' });
    }
    if (line.showsAt <= now) {
      line.showsAt = now + SHOWN_AGAIN_AFTER_MS;
      for (const shard of pool.otherShards) {
        pulls.push({ bucket, request: { line: poolLine(pool.name, bucket), limit: 1, shard }, of: 'other' });
      }
    }
    const showsAt = pool.otherShards.length > 0 ? line.showsAt : Infinity;
    const soonest = Math.min(room >= 1 ? mayAskAt : nextRoomAt(pool, bucket, now) - aheadMs, showsAt);
    nextAt = Math.min(nextAt, Math.max(now + MIN_ASK_PAUSE_MS, Math.min(now + LOOK_AGAIN_MS, soonest)));
  }
  return { pulls, nextAt };
}

export function noteAsking(pool: Pool, { bucket, of }: Pull, now: number): void {
  const refused = pool.refused.get(bucket);
  if (of === 'refused' && refused !== undefined) refused.isAsking = true;
  const line = pool.lines.get(bucket);
  if (line === undefined || of !== 'line') return;
  line.isAsking = true;
  line.askedAt = now;
  if (line.hasGranted) line.askPauseMs = MIN_ASK_PAUSE_MS;
  else if (line.hasBounced) line.askPauseMs = Math.min(MAX_ASK_PAUSE_MS, line.askPauseMs * ASK_PAUSE_GROWTH);
  line.hasGranted = false;
  line.hasBounced = false;
}

/** @param answer undefined when the ledger did not answer */
export function notePulled(
  pool: Pool,
  { bucket, of, request }: Pull,
  answer: ReleaseAnswer | undefined,
  now: number,
): void {
  if (of === 'refused') {
    notePulledRefused(pool, bucket, request.tasks ?? [], answer, now);
    return;
  }
  const line = pool.lines.get(bucket);
  if (line === undefined) return;
  if (of === 'line') line.isAsking = false;
  if (answer === undefined) return;
  if (answer.released > 0 && of === 'line') line.coming.push({ at: now, count: answer.released });
  if (request.perSecond !== undefined) line.isMoving = request.perSecond > 0;
  if (!answer.left && line.joinedAt < now - WRITTEN_WITHIN_MS) pool.lines.delete(bucket);
}

/** How many calls could start until then, over all keys. */
export function roomWithin(pool: Pool, bucket: string, now: number, until: number): number {
  const places = placesOf(pool, bucket);
  const isOneAtATime = isOutage(places);
  if (isOneAtATime && isBeingTried(places)) return 0;
  let room = 0;
  for (const place of byQuota(places.filter((each) => openFor(each, '', true, 0) <= until))) {
    const { limiter } = place.room;
    const calls = limiter.room(now, limiter.isAtOnce ? until + AT_ONCE_MS : until);
    room += isTried(place) ? Math.min(1, calls) : calls;
  }
  return isOneAtATime ? Math.min(1, room) : room;
}

function nextRoomAt(pool: Pool, bucket: string, now: number): number {
  let at = Infinity;
  for (const place of byQuota(placesOf(pool, bucket))) {
    at = Math.min(at, Math.max(openFor(place, '', true, now), place.room.limiter.nextAt(now)));
  }
  return at;
}

/** Each quota once, with a key that need not be tried first. */
function byQuota(places: readonly KeyPlace[]): KeyPlace[] {
  const rooms = new Map<string, KeyPlace>();
  for (const place of places) {
    const known = rooms.get(place.room.quotaId);
    if (known === undefined || (isTried(known) && !isTried(place))) rooms.set(place.room.quotaId, place);
  }
  return [...rooms.values()];
}

function waitingInPlace(pool: Pool, bucket: string, now: number): number {
  let count = 0;
  for (const until of inPlaceOf(pool, bucket).values()) if (until > now) count++;
  return count;
}

function requestOf(pool: Pool, bucket: string, limit: number, now: number): ReleaseRequest {
  const perSecond = paceOf(pool, bucket, now);
  return {
    line: poolLine(pool.name, bucket),
    limit,
    shard: pool.shard,
    ...(perSecond !== undefined && { perSecond }),
    ...(isOutage(placesOf(pool, bucket)) && { reason: 'key-refused' }),
  };
}

function takingCalls(pool: Pool, bucket: string, now: number): KeyPlace[] {
  return placesOf(pool, bucket).filter((place) => !isTried(place) && !isClosedForLong(place.room, now));
}

/** Calls a second through the keys that take any; one of which nothing is known is taken for the mean of the others. */
function paceOf(pool: Pool, bucket: string, now: number): number | undefined {
  const places = byQuota(takingCalls(pool, bucket, now));
  if (places.length === 0) return 0;
  const rates = places.flatMap(({ room }) => room.limiter.perSecond() ?? []);
  if (rates.length === 0) return undefined;
  return (rates.reduce((sum, rate) => sum + rate, 0) * places.length) / rates.length;
}

function isClosedForLong(room: Room, now: number): boolean {
  const opensAt = opensBySaid(room, now);
  return opensAt > now + LONG_MS && opensAt < Infinity;
}
