/**
 * Where a call of a bucket may go: each key that is in use, with the room that its quota has in the bucket.
 * No I/O; the clock is handed in.
 */
import { type KeyPlace, type Pool, type Room, roomOf } from './pool.ts';
import { isRefusing, isSuspected, openAt, type RefusalState } from './status.ts';

export function placesOf(pool: Pool, bucket: string): readonly KeyPlace[] {
  const known = pool.places.get(bucket);
  if (known !== undefined) return known;
  const inUse = pool.current.filter(({ disabledAt }) => disabledAt === undefined);
  const places = inUse.map((key) => ({ key, room: roomOf(pool, key.quotaId, bucket) }));
  pool.places.set(bucket, places);
  return places;
}

/** Of the key, and of the key in this bucket. */
export function refusalsOf(places: readonly KeyPlace[]): RefusalState[] {
  return places.flatMap(({ key, room }) => [key.refusals, room.refusals]);
}

export function isTried({ key, room }: KeyPlace): boolean {
  return isSuspected(key.refusals) || isSuspected(room.refusals);
}

/** All keys refuse: one call at a time tries them, whichever the key. */
export function isOutage(places: readonly KeyPlace[]): boolean {
  return places.length > 0 && places.every(({ key, room }) => isRefusing(key.refusals) || isRefusing(room.refusals));
}

/** A call is on its way that tries a key. */
export function isBeingTried(places: readonly KeyPlace[]): boolean {
  return places.some(({ key, room }) => key.refusals.prober !== undefined || room.refusals.prober !== undefined);
}

/** When the next call may start by what was said of limits: when one is tried says nothing of the others. Infinite when a call must end first. */
export function opensBySaid({ limiter }: Room, now: number): number {
  return limiter.closedUntil === undefined ? limiter.nextAt(now) : (limiter.toldUntil ?? now);
}

/** When the task may have a call here for all that refusals say, Unix ms. */
export function openFor({ key, room }: KeyPlace, task: string, isFresh: boolean, now: number): number {
  return Math.max(openAt(key.refusals, task, isFresh, now), openAt(room.refusals, task, isFresh, now));
}

/** As long as tasks come that work, those that were refused leave the keys that are to be tried to them. */
const OTHERS_COME_MS = 3_000;

/** The same for a task that a key has refused. */
export function openForRefused(pool: Pool, place: KeyPlace, task: string, now: number): number {
  const at = openFor(place, task, false, now);
  return isTried(place) ? Math.max(at, pool.workedAt + OTHERS_COME_MS) : at;
}
