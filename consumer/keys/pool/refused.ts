/**
 * Tasks that keys refused. Such a task goes on as long as there is a key that has not refused it; then it
 * stands aside (a line of its own in the ledger), and is woken when there is news for it: it is known to be to
 * blame, or a key may take it. With nobody else to try the keys, one of them does, after pauses that double.
 * Changes the pool in place, without I/O.
 */
import { type LeaseAnswer, waitsInPlace } from '../../../shared/capacity/lease.ts';
import { refusedLine } from '../../../shared/capacity/line.ts';
import { MAX_RELEASED_BY_ID, type ReleaseAnswer, type ReleaseRequest } from '../../../shared/ledger/line.ts';
import { keepNewest } from '../../../shared/newest.ts';
import { isBeingTried, isOutage, isTried, openForRefused, placesOf, refusalsOf } from './place.ts';
import { inPlaceOf, isNamed, type KeyPlace, type Pool, RefusedState, WHOLE_KEY } from './pool.ts';
import { blameOf, hasRefused, hasRefusedSince, isRefusing } from './status.ts';

/** A row is written by then, if it is ever. */
export const WRITTEN_WITHIN_MS = 3_000;

/** A woken task that has not come by then has ended, or went elsewhere. */
export const COMES_WITHIN_MS = 30_000;

/** A woken task has tried a key by then, mostly. */
const TRIED_WITHIN_MS = 1_000;

/** Looks again after this, whatever is known: refusals are forgotten in time. */
const LOOK_AGAIN_MS = 60_000;

/** Tasks that are remembered to have been sent to another shard. */
const MAX_SENT_ON = 1_000;

type Failure = Extract<LeaseAnswer<unknown>, { kind: 'fail' }>;

export function isRefused(places: readonly KeyPlace[], task: string): boolean {
  return places.some(({ key, room }) => hasRefused(key.refusals, task) || hasRefused(room.refusals, task));
}

/** What a key says of a bucket to one task it says to all; for so long, because it may be allowed it later. */
const NAME_REFUSED_MS = 600_000;

/** Keys that a task is tried with that is larger than one of them allows. */
const KEYS_FOR_LARGE = 2;

/** Refused for what it says: by two keys that worked for others afterwards, or as larger than they allow. */
export function failureOf(
  pool: Pool,
  bucket: string,
  places: readonly KeyPlace[],
  task: string,
  now: number,
): Failure | undefined {
  const failure = (httpStatus: number, detail: string): Failure => ({ task, kind: 'fail', httpStatus, detail });
  const large = pool.tooLarge.get(task);
  const isTooSmall = ({ key }: KeyPlace) => large?.keys.has(key.fingerprint) === true;
  if (large !== undefined && (large.keys.size >= KEYS_FOR_LARGE || !isOtherLeft(places, isTooSmall, now))) {
    const detail = 'The request is larger than the limit of the API keys that it was tried with.';
    return failure(large.httpStatus, detail);
  }
  if (!isRefused(places, task)) return undefined;
  const status = blameOf(new Set(refusalsOf(places)), task);
  if (status !== undefined) {
    return failure(status, `The backend refused this task (${status}) with two API keys that work for others.`);
  }
  // A bucket that has never worked for anyone: what it names is not there, or not for these keys.
  const rooms = [...new Set(places.map(({ room }) => room.refusals))];
  const [refused, ...others] = rooms.flatMap(({ refusals }) => refusals.find((refusal) => refusal.task === task) ?? []);
  if (refused === undefined || rooms.some(({ workedAt }) => workedAt > 0)) return undefined;
  const isAnswered = isNamed(bucket)
    ? !isOtherLeft(places, ({ room }) => hasRefusedSince(room.refusals, task, now - NAME_REFUSED_MS), now)
    : others.length > 0 || rooms.length === 1;
  if (!isAnswered) return undefined;
  const { httpStatus } = refused;
  const what = bucket === WHOLE_KEY ? 'what the task asks for' : bucket;
  return failure(httpStatus, `The backend refused ${what} (${httpStatus}) with every API key that was tried.`);
}

/** A key is in use that has not refused it. */
function isOtherLeft(places: readonly KeyPlace[], hasRefused: (place: KeyPlace) => boolean, now: number): boolean {
  return places.some((place) => {
    const { key, room } = place;
    if (hasRefused(place) || isRefusing(key.refusals) || isRefusing(room.refusals)) return false;
    return room.exhausted === undefined || room.exhausted.until <= now;
  });
}

/**
 * There is a key that works and has not refused the task: all it may lack is room. Where a key that it cannot use has
 * some, the task would be woken from the common line again and again.
 */
export function hasOtherKey(pool: Pool, places: readonly KeyPlace[], task: string, now: number): boolean {
  const tooSmall = pool.tooLarge.get(task)?.keys;
  const takes = (place: KeyPlace) =>
    !tooSmall?.has(place.key.fingerprint) && openForRefused(pool, place, task, now) <= now;
  const hasRoom = ({ room: { limiter } }: KeyPlace) => waitsInPlace(limiter.nextAt(now), now);
  const works = places.filter((place) => !isTried(place));
  const [good, others] = [works.filter(takes), works.filter((place) => !takes(place))];
  return good.length > 0 && (good.some(hasRoom) || !others.some(hasRoom));
}

export function standAside(pool: Pool, bucket: string, task: string, now: number): void {
  const state = pool.refused.get(bucket) ?? new RefusedState();
  state.tasks.delete(task);
  state.tasks.set(task, now);
  pool.refused.set(bucket, state);
}

/** They stood there when the owner of the pool was evicted. */
export function restoreRefused(pool: Pool, bucket: string): void {
  const state = new RefusedState();
  for (const { refusals } of refusalsOf(placesOf(pool, bucket)))
    for (const { task } of refusals) state.tasks.set(task, 0);
  pool.refused.set(bucket, state);
}

/**
 * What is to be asked of the ledger now, and when to look again, Unix ms.
 * @param room for so many calls soon
 */
export function pullRefused(
  pool: Pool,
  bucket: string,
  state: RefusedState,
  room: number,
  now: number,
): { readonly request?: ReleaseRequest; readonly nextAt: number } {
  if (state.isAsking) return { nextAt: Infinity };
  const places = placesOf(pool, bucket);
  const line = refusedLine(pool.name, bucket);
  if (state.hasNews || state.lookedAt <= now - LOOK_AGAIN_MS) {
    state.hasNews = false;
    state.lookedAt = now;
    const tasks: string[] = [];
    let left = room;
    // Each key takes one of them at a time.
    const takers = places.filter((place) => openForRefused(pool, place, '', now) <= now).length;
    let tries = state.wokenAt > now - TRIED_WITHIN_MS ? 0 : takers;
    for (const [task, joinedAt] of state.tasks) {
      const isToFail = failureOf(pool, bucket, places, task, now) !== undefined;
      if (!isToFail && !hasOtherKey(pool, places, task, now)) continue;
      const isReady = joinedAt <= now - WRITTEN_WITHIN_MS && tasks.length < MAX_RELEASED_BY_ID;
      const isTry = !isToFail && isRefused(places, task);
      if (!isReady || (!isToFail && left < 1) || (isTry && tries < 1)) {
        state.hasNews = true;
        continue;
      }
      tasks.push(task);
      if (!isToFail) left -= 1;
      if (isTry) {
        tries -= 1;
        state.wokenAt = now;
      }
    }
    if (tasks.length > 0) {
      for (const task of tasks) state.tasks.delete(task);
      return { request: { line, limit: tasks.length, shard: pool.shard, tasks }, nextAt: Infinity };
    }
  }
  const sent = sendOn(pool, state, now);
  if (sent?.request !== undefined) return { request: { line, ...sent.request }, nextAt: Infinity };
  const newsAt = Math.min(now + (state.hasNews ? WRITTEN_WITHIN_MS : LOOK_AGAIN_MS), sent?.nextAt ?? Infinity);
  // Those that have not been refused try the keys, as long as there are any.
  if (pool.lines.has(bucket) || isBeingTried(places)) return { nextAt: newsAt };
  const lone = loneTry(pool, places, state, now);
  if (lone.at > now) return { nextAt: Math.min(newsAt, lone.at) };
  state.triedAt = now;
  if (lone.task !== undefined) state.tasks.delete(lone.task);
  const tasks = lone.task === undefined ? {} : { tasks: [lone.task] };
  // Whom another shard has put there may start here.
  const limit = lone.task === undefined && !isOutage(places) ? Math.max(1, Math.floor(room)) : 1;
  return { request: { line, limit, shard: pool.shard, ...tasks }, nextAt: Infinity };
}

/** A key alone cannot show whose fault a refusal was: another shard tries its own, once. */
function sendOn(
  pool: Pool,
  state: RefusedState,
  now: number,
): { readonly request?: Omit<ReleaseRequest, 'line'>; readonly nextAt: number } | undefined {
  const [shard] = pool.otherShards;
  if (shard === undefined || pool.current.length > 1) return undefined;
  const tasks: string[] = [];
  let nextAt = Infinity;
  for (const [task, joinedAt] of state.tasks) {
    if (pool.sentOn.has(task)) continue;
    nextAt = Math.min(nextAt, joinedAt + WRITTEN_WITHIN_MS);
    if (joinedAt + WRITTEN_WITHIN_MS <= now && tasks.length < MAX_RELEASED_BY_ID) tasks.push(task);
  }
  if (tasks.length === 0) return { nextAt };
  for (const task of tasks) {
    state.tasks.delete(task);
    pool.sentOn.add(task);
  }
  keepNewest(pool.sentOn, MAX_SENT_ON);
  return { request: { limit: tasks.length, shard, tasks }, nextAt };
}

/** Which of those that stand aside may try a key first, and when; none of them by name where none is known. */
function loneTry(
  pool: Pool,
  places: readonly KeyPlace[],
  { tasks, triedAt }: RefusedState,
  now: number,
): { readonly at: number; readonly task?: string } {
  if (tasks.size === 0) return { at: triedAt + COMES_WITHIN_MS };
  let first: { readonly at: number; readonly task?: string } = { at: Infinity };
  for (const [task, joinedAt] of tasks) {
    const tooSmall = pool.tooLarge.get(task)?.keys;
    const opens = places.flatMap((place) => {
      if (tooSmall?.has(place.key.fingerprint)) return [];
      return Math.max(openForRefused(pool, place, task, now), place.room.limiter.nextAt(now));
    });
    const at = Math.max(Math.min(...opens), joinedAt + WRITTEN_WITHIN_MS);
    if (at < first.at) first = { at, task };
  }
  return { ...first, at: Math.max(first.at, triedAt + COMES_WITHIN_MS) };
}

/** @param tasks that were asked for by name @param answer undefined when the ledger did not answer */
export function notePulledRefused(
  pool: Pool,
  bucket: string,
  tasks: readonly string[],
  answer: ReleaseAnswer | undefined,
  now: number,
): void {
  const state = pool.refused.get(bucket);
  if (state === undefined) return;
  state.isAsking = false;
  if (answer === undefined) {
    // They may stand there still.
    for (const task of tasks) {
      pool.sentOn.delete(task);
      inPlaceOf(pool, bucket).delete(task);
      state.tasks.set(task, now);
    }
    state.hasNews ||= tasks.length > 0;
    return;
  }
  if (answer.left) return;
  for (const joinedAt of state.tasks.values()) if (joinedAt > now - WRITTEN_WITHIN_MS) return;
  pool.refused.delete(bucket);
}
