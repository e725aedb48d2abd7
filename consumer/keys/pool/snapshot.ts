/**
 * What of a pool must survive the eviction of its owner: keys out of use and the refusals by which tasks are
 * judged, learnt limits and what is closed for long, lines that stand; how much each key was used, within
 * seconds. The rest (starts, what is under way) is built up again. Rows are small JSON texts by id; there
 * is no place for a key's value in them. Pure but for `restore`, which fills the pool.
 */
import type { LimiterSnapshot } from '../../../shared/capacity/limiter.ts';
import type { SnapshotRow } from '../../../shared/object/snapshot-rows.ts';
import { joinLine } from './line.ts';
import { type Key, keyOf, type Pool, type Room, roomId, roomOf, setMembers } from './pool.ts';
import { restoreRefused } from './refused.ts';
import type { RefusalState } from './status.ts';

type KeySnapshot = Partial<Pick<Key, 'disabledAt' | 'refusals'>>;

interface RoomSnapshot extends Pick<Room, 'quotaId' | 'bucket' | 'exhausted'> {
  readonly refusals?: RefusalState | undefined;
  readonly limiter: LimiterSnapshot;
}

interface PoolSnapshot extends Pick<Pool, 'members' | 'configured' | 'shard' | 'otherShards'> {
  readonly lines: readonly string[];
  /** Of the tasks that keys refused. */
  readonly refused?: readonly string[] | undefined;
}

/** Calls, of them rate limited, last used; by fingerprint. */
type UseSnapshot = Readonly<Record<string, readonly [number, number, number]>>;

const POOL_ID = 'pool';
/** Of the row that may be written a little later. */
export const USE_ID = 'use';
const KEY_PREFIX = 'key ';
const ROOM_PREFIX = 'room ';

/** What is over sooner is not worth a write. */
const WORTH_KEEPING_MS = 5_000;

/** Learnt limits move all the time; they are written in steps. */
const STEP = 1.1;

/** Rows that are not here any more have nothing left to keep. */
export function snapshot(pool: Pool, now: number): SnapshotRow[] {
  const rows: SnapshotRow[] = [];
  const { members, configured, shard, otherShards, lines, refused } = pool;
  const add = (id: string, value: KeySnapshot | RoomSnapshot | PoolSnapshot) =>
    rows.push({ id, value: JSON.stringify(value) });
  add(POOL_ID, {
    members,
    configured,
    shard,
    otherShards,
    lines: [...lines.keys()].sort(),
    refused: refused.size > 0 ? [...refused.keys()].sort() : undefined,
  });
  for (const key of pool.keys.values()) {
    const { disabledAt, refusals } = key;
    if (disabledAt === undefined && refusals.refusals.length === 0) continue;
    add(KEY_PREFIX + key.fingerprint, { disabledAt, refusals: settled(refusals) });
  }
  for (const room of pool.rooms.values()) {
    const limiter = coarse(room.limiter.snapshot(), now);
    const { quotaId, bucket, refusals, exhausted } = room;
    const isRefused = refusals.refusals.length > 0;
    const isLimited = Object.values(limiter).some((value) => value !== undefined);
    if (!isLimited && !isRefused && exhausted === undefined) continue;
    const kept = { quotaId, bucket, limiter, refusals: isRefused ? settled(refusals) : undefined, exhausted };
    add(ROOM_PREFIX + roomId(quotaId, bucket), kept);
  }
  return rows;
}

/** How much each key was used. Changes with every call, so it is written now and then. */
export function useSnapshot(pool: Pool): SnapshotRow {
  const use = Array.from(pool.keys.values(), (key) => [key.fingerprint, [key.calls, key.rateLimited, key.lastUsedAt]]);
  return { id: USE_ID, value: JSON.stringify(Object.fromEntries(use)) };
}

/** @param rows in any order */
export function restore(pool: Pool, rows: readonly SnapshotRow[], now: number): void {
  const byId = new Map(rows.map(({ id, value }) => [id, value]));
  const whole = byId.get(POOL_ID);
  const {
    lines = [],
    refused = [],
    members = [],
    ...rest
  } = whole === undefined ? {} : (JSON.parse(whole) as Partial<PoolSnapshot>);
  Object.assign(pool, rest);
  for (const [id, value] of byId) {
    if (id.startsWith(KEY_PREFIX)) {
      const { disabledAt, refusals } = JSON.parse(value) as KeySnapshot;
      const key = keyOf(pool, id.slice(KEY_PREFIX.length));
      key.disabledAt = disabledAt;
      Object.assign(key.refusals, refusals);
    } else if (id === USE_ID) {
      for (const [fingerprint, [calls, rateLimited, lastUsedAt]] of Object.entries(JSON.parse(value) as UseSnapshot)) {
        Object.assign(keyOf(pool, fingerprint), { calls, rateLimited, lastUsedAt });
      }
    }
  }
  setMembers(pool, members);
  for (const [id, value] of byId) {
    if (!id.startsWith(ROOM_PREFIX)) continue;
    const { quotaId, bucket, limiter, refusals, exhausted } = JSON.parse(value) as RoomSnapshot;
    const room = roomOf(pool, quotaId, bucket);
    room.limiter.restore(limiter, now);
    room.exhausted = exhausted;
    Object.assign(room.refusals, refusals);
  }
  for (const bucket of lines) joinLine(pool, bucket, now);
  for (const bucket of refused) restoreRefused(pool, bucket);
}

/** Only whether it worked after a refusal matters: a time that moves would be written at every call. */
function settled(state: RefusalState): RefusalState {
  const latest = Math.max(0, ...state.refusals.map(({ at }) => at));
  return { ...state, workedAt: Math.min(state.workedAt, latest + 1), prober: undefined };
}

function coarse({ learnt, top, closedUntil = 0 }: LimiterSnapshot, now: number): LimiterSnapshot {
  return {
    learnt: learnt && { calls: inSteps(learnt.calls), shutMs: 0, periodMs: inSteps(learnt.periodMs) },
    top,
    closedUntil: closedUntil > now + WORTH_KEEPING_MS ? closedUntil : undefined,
  };
}

function inSteps(value: number): number {
  return Math.round(value < 10 ? value : STEP ** Math.round(Math.log(value) / Math.log(STEP)));
}
