/**
 * The state of one pool of keys, which one owner (the Durable Object) holds in memory and the functions of
 * this room change in place. It knows keys by number and fingerprint and has no place for a value. All
 * times are Unix milliseconds, handed in.
 *
 * A key has a status of its own. Limits hold for a quota (a key, or a group of keys that share one) and a
 * bucket: each pair has a limiter.
 */
import { Limiter } from '../../../shared/capacity/limiter.ts';
import { newRefusalState, type RefusalState } from './status.ts';

export interface Member {
  readonly number: number;
  readonly fingerprint: string;
  /** Keys of the same group share a quota. */
  readonly group?: string | undefined;
}

export const LIMIT_NAMES = ['requestsPerMinute', 'tokensPerMinute', 'concurrency'] as const;

/** What the operator says that each key of a pool may do; the strictest of the services that use it. */
export type ConfiguredLimits = { readonly [Name in (typeof LIMIT_NAMES)[number]]?: number | undefined };

export interface Key {
  number: number;
  readonly fingerprint: string;
  quotaId: string;
  /** By a person, who alone can switch it on again. Unix ms. */
  disabledAt: number | undefined;
  readonly refusals: RefusalState;
  inFlight: number;
  calls: number;
  rateLimited: number;
  lastUsedAt: number;
  /** Calls, fading with a half-life of five minutes, as of `fadedAt`: who has the fewest goes first. */
  recentCalls: number;
  fadedAt: number;
}

/** A quota in one bucket. */
export interface Room {
  readonly quotaId: string;
  readonly bucket: string;
  readonly limiter: Limiter;
  /** 403 or 404 about a model: of the bucket, and not of the key. */
  readonly refusals: RefusalState;
  /** Moving average of what a call takes; 0: not known. */
  tokensPerCall: number;
  /** An allowance of a day or a purse is used up. */
  exhausted: { readonly times: number; readonly until: number } | undefined;
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

/** What the pool knows of the line of a bucket. */
export interface LineState {
  /** When a task was last told to join: its row is written a moment later. */
  joinedAt: number;
  /** Woken tasks that are on their way here, oldest first. */
  readonly coming: { readonly at: number; count: number }[];
  /** Moving average of how long they take. */
  delayMs: number;
  askedAt: number;
  /** Grows as long as those who are woken only come to wait again. */
  askPauseMs: number;
  hasGranted: boolean;
  hasBounced: boolean;
  shownAt: number;
  isAsking: boolean;
}

/** What the pool knows of the tasks of a bucket that keys refused, and that stand aside. */
export interface RefusedState {
  /** When each was told to stand there: its row is written a moment later. */
  readonly tasks: Map<string, number>;
  /** Something has changed that may be news for one of them. */
  hasNews: boolean;
  lookedAt: number;
  /** One of them was woken to try a key. */
  triedAt: number;
  /** Of those that may try another key, when the last were woken. */
  wokenAt: number;
  isAsking: boolean;
}

export interface Pool {
  /** As its lines are called. */
  readonly name: string;
  members: readonly Member[];
  /** Of these members. */
  current: readonly Key[];
  /** Of the keys that are in use, by bucket: as long as neither they nor their rooms change. */
  readonly places: Map<string, readonly KeyPlace[]>;
  /** By fingerprint; keys that are no members any more stay known. */
  readonly keys: Map<string, Key>;
  /** By quota and bucket. */
  readonly rooms: Map<string, Room>;
  readonly buckets: Set<string>;
  readonly leases: Map<string, Lease>;
  /** Leases that are over, until nobody can ask for them any more, the oldest first. */
  readonly ended: Map<string, number>;
  /** By bucket. */
  readonly lines: Map<string, LineState>;
  /** By bucket. */
  readonly refused: Map<string, RefusedState>;
  /** Tasks that wait in place, by bucket, with the time until which they are expected to ask again. */
  readonly inPlace: Map<string, Map<string, number>>;
  /** Tasks that are larger than a key allows, with the keys that said so. */
  readonly tooLarge: Map<string, { readonly keys: Set<string>; readonly httpStatus: number }>;
  /** Refused tasks that another shard was given to try. */
  readonly sentOn: Set<string>;
  /** Tasks whose refusals in an outage count no more. */
  readonly pardoned: Set<string>;
  /** When a call was last heard to have worked. */
  workedAt: number;
  configured: ConfiguredLimits;
  expiresCheckAt: number;
  shard: number;
  /** That have keys of this pool too. */
  otherShards: readonly number[];
}

/** Where the service names no bucket. */
export const WHOLE_KEY = '';

/** Names of buckets come from tasks: beyond so many, the others share one. */
const MAX_BUCKETS = 64;
const OTHER_BUCKETS = '~other';

export function emptyPool(name: string): Pool {
  return {
    name,
    members: [],
    current: [],
    places: new Map(),
    keys: new Map(),
    rooms: new Map(),
    buckets: new Set(),
    leases: new Map(),
    ended: new Map(),
    lines: new Map(),
    refused: new Map(),
    inPlace: new Map(),
    tooLarge: new Map(),
    sentOn: new Set(),
    pardoned: new Set(),
    workedAt: 0,
    configured: {},
    expiresCheckAt: 0,
    shard: 0,
    otherShards: [],
  };
}

export function newKey({ number, fingerprint, group }: Member): Key {
  return {
    number,
    fingerprint,
    quotaId: group ?? fingerprint,
    disabledAt: undefined,
    refusals: newRefusalState(),
    inFlight: 0,
    calls: 0,
    rateLimited: 0,
    lastUsedAt: 0,
    recentCalls: 0,
    fadedAt: 0,
  };
}

/**
 * Takes the keys that the consumer has now. A key whose value was replaced has a new fingerprint and so starts afresh; one that
 * has another number stays what it is, with the calls that are under way.
 */
export function setMembers(pool: Pool, members: readonly Member[]): void {
  const before = pool.members;
  pool.members = members;
  if (members.length === before.length && members.every((member, index) => isSame(member, before[index]))) return;
  pool.current = members.map((member) => {
    const key = pool.keys.get(member.fingerprint) ?? newKey(member);
    pool.keys.set(member.fingerprint, key);
    return Object.assign(key, { number: member.number, quotaId: member.group ?? member.fingerprint });
  });
  pool.places.clear();
  noteNews(pool);
}

function isSame({ number, fingerprint, group }: Member, other: Member | undefined): boolean {
  return number === other?.number && fingerprint === other.fingerprint && group === other.group;
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

export function roomOf(pool: Pool, quotaId: string, bucket: string): Room {
  const id = roomId(quotaId, bucket);
  const known = pool.rooms.get(id);
  if (known !== undefined) return known;
  // Keys of a pool are equals until one of them shows otherwise: they doubt one after the other.
  const turn = equalsOf(pool, bucket).length;
  const room = addRoom(pool, quotaId, bucket, turn);
  for (const { limiter } of equalsOf(pool, bucket)) room.limiter.learnFrom(limiter, 0);
  pool.buckets.add(bucket);
  return room;
}

/** A fresh one, also where there is one. @param turn among its equals */
export function addRoom(pool: Pool, quotaId: string, bucket: string, turn: number): Room {
  const room = {
    quotaId,
    bucket,
    limiter: new Limiter(turn),
    refusals: newRefusalState(),
    tokensPerCall: 0,
    exhausted: undefined,
  };
  limit(pool, room);
  pool.rooms.set(roomId(quotaId, bucket), room);
  pool.places.clear();
  return room;
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
