/**
 * The state of one pool of keys, which one owner (the Durable Object) holds in memory and the functions of
 * this room change in place. It knows keys by number and fingerprint and has no place for a value. All
 * times are Unix milliseconds, handed in.
 *
 * A key has a status of its own. Limits hold for a quota (a key, or a group of keys that share one) and a
 * bucket: each pair has a limiter.
 */
import { Limiter } from '../../../shared/capacity/limiter.ts';
import { RefusalState } from './status.ts';

export interface Member {
  readonly number: number;
  readonly fingerprint: string;
  /** Keys of the same group share a quota. */
  readonly group?: string | undefined;
}

export const LIMIT_NAMES = ['requestsPerMinute', 'tokensPerMinute', 'concurrency'] as const;

/** What the operator says that each key of a pool may do; the strictest of the services that use it. */
export type ConfiguredLimits = { readonly [Name in (typeof LIMIT_NAMES)[number]]?: number | undefined };

export class Key {
  number = 0;
  readonly fingerprint: string;
  quotaId: string;
  /** By a person, who alone can switch it on again. Unix ms. */
  disabledAt: number | undefined = undefined;
  readonly refusals = new RefusalState();
  inFlight = 0;
  calls = 0;
  rateLimited = 0;
  lastUsedAt = 0;
  /** Calls, fading with a half-life of five minutes, as of `fadedAt`: who has the fewest goes first. */
  recentCalls = 0;
  fadedAt = 0;

  constructor(fingerprint: string) {
    this.fingerprint = fingerprint;
    this.quotaId = fingerprint;
  }
}

/** A quota in one bucket. */
export class Room {
  readonly quotaId: string;
  readonly bucket: string;
  readonly limiter: Limiter;
  /** 403 or 404 about a model: of the bucket, and not of the key. */
  readonly refusals = new RefusalState();
  /** Moving average of what a call takes; 0: not known. */
  tokensPerCall = 0;
  /** An allowance of a day or a purse is used up. */
  exhausted: { readonly times: number; readonly until: number } | undefined = undefined;
  /** What was refused to calls of before says nothing any more. */
  resetAt = 0;

  /** @param turn among its equals */
  constructor(quotaId: string, bucket: string, turn: number) {
    this.quotaId = quotaId;
    this.bucket = bucket;
    this.limiter = new Limiter(turn);
  }
}

/** Where a call may go: a key that is in use, with the room that its quota has in the bucket. */
export interface KeyPlace {
  readonly key: Key;
  readonly room: Room;
}

export interface LeasedCall {
  readonly key: Key;
  readonly room: Room;
  readonly ticket: number;
  readonly startedAt: number;
}

/** Calls that one question was answered with. */
export interface Lease {
  /** After this a crashed consumer's calls are taken as ended. */
  readonly expiresAt: number;
  readonly answers: unknown;
  /** By task. */
  readonly open: Map<string, LeasedCall>;
}

const FIRST_DELAY_MS = 500;

/** The ledger is not asked more often than this. */
export const MIN_ASK_PAUSE_MS = 250;

/** A shard that has room and knows of no line is shown it by one task. */
const SHOWN_AFTER_MS = 1_000;

/** What the pool knows of the line of a bucket. */
export class LineState {
  /** When a task was last told to join: its row is written a moment later. */
  joinedAt: number;
  /** Woken tasks that are on their way here, oldest first. */
  readonly coming: { readonly at: number; count: number }[] = [];
  /** Moving average of how long they take. */
  delayMs = FIRST_DELAY_MS;
  askedAt = 0;
  /** Grows as long as those who are woken only come to wait again. */
  askPauseMs = MIN_ASK_PAUSE_MS;
  hasGranted = false;
  hasBounced = false;
  /** When other shards are shown it next. */
  showsAt: number;
  isAsking = false;
  /** As far as the ledger knows. That it has stopped is said once, with one task that is woken and learns from when on keys are open. */
  isMoving = false;

  constructor(joinedAt: number) {
    this.joinedAt = joinedAt;
    this.showsAt = joinedAt + SHOWN_AFTER_MS;
  }
}

/** What the pool knows of the tasks of a bucket that keys refused, and that stand aside. */
export class RefusedState {
  /** When each was told to stand there: its row is written a moment later. */
  readonly tasks = new Map<string, number>();
  /** Something has changed that may be news for one of them. */
  hasNews = true;
  lookedAt = 0;
  /** One of them was woken to try a key. */
  triedAt = 0;
  /** Of those that may try another key, when the last were woken. */
  wokenAt = 0;
  isAsking = false;
}

export class Pool {
  /** As its lines are called. */
  readonly name: string;
  members: readonly Member[] = [];
  /** Of these members. */
  current: readonly Key[] = [];
  /** Of the keys that are in use, by bucket: as long as neither they nor their rooms change. */
  readonly places = new Map<string, readonly KeyPlace[]>();
  /** By fingerprint; keys that are no members any more stay known. */
  readonly keys = new Map<string, Key>();
  /** By quota and bucket. */
  readonly rooms = new Map<string, Room>();
  readonly buckets = new Set<string>();
  readonly leases = new Map<string, Lease>();
  /** Leases that are over, until nobody can ask for them any more, the oldest first. */
  readonly ended = new Map<string, number>();
  /** By bucket. */
  readonly lines = new Map<string, LineState>();
  /** By bucket. */
  readonly refused = new Map<string, RefusedState>();
  /** Tasks that wait in place, by bucket, with the time until which they are expected to ask again. */
  readonly inPlace = new Map<string, Map<string, number>>();
  /** Tasks that are larger than a key allows, with the keys that said so. */
  readonly tooLarge = new Map<string, { readonly keys: Set<string>; readonly httpStatus: number }>();
  /** Refused tasks that another shard was given to try. */
  readonly sentOn = new Set<string>();
  /** Tasks whose refusals in an outage count no more. */
  readonly pardoned = new Set<string>();
  /** When a call was last heard to have worked. */
  workedAt = 0;
  configured: ConfiguredLimits = {};
  expiresCheckAt = 0;
  shard = 0;
  /** That have keys of this pool too. */
  otherShards: readonly number[] = [];

  constructor(name: string) {
    this.name = name;
  }
}

/** Where the service names no bucket. */
export const WHOLE_KEY = '';

/** Names of buckets come from tasks: beyond so many, the others share one. */
const MAX_BUCKETS = 64;
const OTHER_BUCKETS = '~other';

/**
 * Takes the keys that the consumer has now. A key whose value was replaced has a new fingerprint and so starts afresh; one that
 * has another number stays what it is, with the calls that are under way.
 */
export function setMembers(pool: Pool, members: readonly Member[]): void {
  const before = pool.members;
  pool.members = members;
  if (members.length === before.length && members.every((member, index) => isSame(member, before[index]))) return;
  pool.current = members.map(({ number, fingerprint, group = fingerprint }) =>
    Object.assign(keyOf(pool, fingerprint), { number, quotaId: group }),
  );
  pool.places.clear();
  noteNews(pool);
}

function isSame({ number, fingerprint, group }: Member, other: Member | undefined): boolean {
  return number === other?.number && fingerprint === other.fingerprint && group === other.group;
}

/** Its members say its number and its group. */
export function keyOf(pool: Pool, fingerprint: string): Key {
  const key = pool.keys.get(fingerprint) ?? new Key(fingerprint);
  pool.keys.set(fingerprint, key);
  return key;
}

/** What the operator says now. */
export function configure(pool: Pool, configured: ConfiguredLimits): void {
  const before = pool.configured;
  if (LIMIT_NAMES.every((name) => configured[name] === before[name])) return;
  pool.configured = configured;
  for (const room of pool.rooms.values()) limit(pool, room);
}

/** Something happened to the keys that those who stand aside may have waited for. */
export function noteNews(pool: Pool): void {
  for (const refused of pool.refused.values()) refused.hasNews = true;
}

/** The bucket that a call's limits are counted in. */
export function knownBucket(pool: Pool, bucket: string): string {
  return pool.buckets.has(bucket) || pool.buckets.size < MAX_BUCKETS ? bucket : OTHER_BUCKETS;
}

/** All of its tasks ask for the same. */
export function isNamed(bucket: string): boolean {
  return bucket !== WHOLE_KEY && bucket !== OTHER_BUCKETS;
}

export function roomOf(pool: Pool, quotaId: string, bucket: string): Room {
  const id = roomId(quotaId, bucket);
  const known = pool.rooms.get(id);
  if (known !== undefined) return known;
  // Keys of a pool are equals until one of them shows otherwise: they doubt one after the other.
  const turn = equalsOf(pool, bucket).length;
  const room = new Room(quotaId, bucket, turn);
  limit(pool, room);
  pool.rooms.set(id, room);
  pool.places.clear();
  for (const { limiter } of equalsOf(pool, bucket)) room.limiter.learnFrom(limiter, 0);
  pool.buckets.add(bucket);
  return room;
}

/** As if it had never been used, but for the calls that are under way. */
export function resetRoom(pool: Pool, room: Room, now: number): void {
  Object.assign(room.refusals, new RefusalState());
  Object.assign(room, { tokensPerCall: 0, exhausted: undefined, resetAt: now });
  room.limiter.forget();
  limit(pool, room);
}

export function roomId(quotaId: string, bucket: string): string {
  return bucket === WHOLE_KEY ? quotaId : `${quotaId}#${bucket}`;
}

export function equalsOf(pool: Pool, bucket: string): Room[] {
  return [...pool.rooms.values()].filter((room) => room.bucket === bucket);
}

/** Tells the room's limiter what is configured; a limit in tokens is one of calls of the mean size. */
export function limit({ configured }: Pool, { limiter, tokensPerCall }: Room): void {
  const { requestsPerMinute = Infinity, tokensPerMinute = Infinity, concurrency } = configured;
  const byTokens =
    tokensPerMinute === Infinity || tokensPerCall === 0
      ? Infinity
      : Math.max(1, Math.floor(tokensPerMinute / tokensPerCall));
  const calls = Math.min(requestsPerMinute, byTokens);
  limiter.configured = { atOnce: concurrency, rate: calls === Infinity ? undefined : { calls, periodMs: 60_000 } };
}

const RECENT_HALF_LIFE_MS = 300_000;

export function fadeRecentCalls(keys: readonly Key[], now: number): void {
  for (const key of keys) {
    key.recentCalls *= 2 ** ((key.fadedAt - now) / RECENT_HALF_LIFE_MS);
    key.fadedAt = now;
  }
}

/** Tasks that wait in place, or are on their way to, with the time until which they are expected to ask again. */
export function inPlaceOf({ inPlace }: Pool, bucket: string): Map<string, number> {
  const known = inPlace.get(bucket) ?? new Map<string, number>();
  inPlace.set(bucket, known);
  return known;
}
