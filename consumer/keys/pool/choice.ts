/** Which key a call gets: the least used of those that have room now. No I/O; the clock is handed in. */
import { isBeingTried, isOutage, isTried, openFor, openForRefused } from './place.ts';
import type { KeyPlace, Pool, Room } from './pool.ts';

/** A canary key goes ahead of its equals while no limit is known; the others do less than it bore for a whole round. */
const SAFE_SHARE = 0.9;
const FIRST_CALLS = 2;

/** A key that takes no call for longer shows nothing meanwhile, and no other waits for it: another goes ahead. */
const AWAY_MS = 2_000;

/** While calls must end before there is room, looks again after this. */
export const PAUSE_MS = 100;

export interface Choice {
  readonly best: KeyPlace | undefined;
  /** When a key may be free for the task, as far as it is known; infinite when calls must end first. */
  readonly nextAt: number;
  /** A call that ends may make room sooner. */
  readonly isOpenedByEnd: boolean;
  /** All keys are out of use because the backend refuses them. */
  readonly isRefused: boolean;
}

/** @param isFresh no key has refused the task */
export function choose(pool: Pool, places: readonly KeyPlace[], task: string, isFresh: boolean, now: number): Choice {
  const isRefused = isOutage(places);
  const isHeld = isRefused && isBeingTried(places);
  const tooLargeFor = pool.tooLarge.get(task)?.keys;
  const opensFor = (place: KeyPlace) =>
    isFresh ? openFor(place, task, true, now) : openForRefused(pool, place, task, now);
  const isAway = (place: KeyPlace) =>
    isTried(place) ||
    tooLargeFor?.has(place.key.fingerprint) === true ||
    Math.max(place.room.limiter.nextAt(now), opensFor(place)) > now + AWAY_MS;
  const canary = canaryOf(places, isAway);
  const isProbing = places.some(({ room: { limiter } }) => limiter.isBlind && limiter.isProbed);
  let best: KeyPlace | undefined;
  let nextAt = Infinity;
  let isOpenedByEnd = isHeld;
  for (const place of places) {
    const { key, room } = place;
    if (tooLargeFor?.has(key.fingerprint)) continue;
    const { limiter } = room;
    const refusedUntil = isHeld ? now + PAUSE_MS : opensFor(place);
    const waitsForOther = (isProbing && limiter.isBlind) || (canary !== undefined && isAhead(room, canary));
    const at = Math.max(limiter.nextAt(now), refusedUntil, waitsForOther ? Infinity : 0);
    if (at > now) {
      nextAt = Math.min(nextAt, at);
      isOpenedByEnd ||= refusedUntil <= now && (waitsForOther || limiter.opensByEnd());
    } else if (best === undefined || goesBefore(place, best, canary)) best = place;
  }
  return { best, nextAt, isOpenedByEnd, isRefused };
}

/** Where nothing is known of any limit, the one that has done most of those that may take the call. */
function canaryOf(places: readonly KeyPlace[], isAway: (place: KeyPlace) => boolean): Room | undefined {
  if (places.some(({ room: { limiter } }) => limiter.isKnown)) return undefined;
  let canary: Room | undefined;
  for (const place of places) {
    const { room } = place;
    if (canary !== undefined && room.limiter.borne <= canary.limiter.borne) continue;
    if (!isAway(place)) canary = room;
  }
  return canary;
}

/** The canary has borne more than that for a whole round. */
function isSafe({ limiter }: Room, canary: Room): boolean {
  return limiter.ofRound < SAFE_SHARE * canary.limiter.borneBefore;
}

/** Where the canary is refused, its equals have not been yet. */
function isAhead(room: Room, canary: Room): boolean {
  return (
    room !== canary && room.limiter.ofRound >= Math.max(FIRST_CALLS, canary.limiter.confirmed) && !isSafe(room, canary)
  );
}

/** A key that is to be tried comes first, then the canary where others would follow it too closely, then the least used. */
function goesBefore(a: KeyPlace, b: KeyPlace, canary: Room | undefined): boolean {
  const [tries, triesOther] = [isTried(a), isTried(b)];
  if (tries !== triesOther) return tries;
  if (canary !== undefined && a.room === canary && !isSafe(b.room, canary)) return true;
  if (canary !== undefined && b.room === canary && !isSafe(a.room, canary)) return false;
  return a.key.recentCalls < b.key.recentCalls;
}
