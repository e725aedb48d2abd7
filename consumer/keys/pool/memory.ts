/**
 * What of a pool must survive the eviction of its owner: coolings, learnt limits, keys out of use and
 * the refusals by which tasks are judged, at once; how much each key was used, within seconds. The rest
 * (windows, what is under way) is built up again. Rows are small JSON texts by id; there is no place
 * for a key's value in them. Pure.
 */
import {
  type Cooling,
  type Key,
  newKey,
  newQuota,
  type Pool,
  type Quota,
  type Refusal,
  type Standing,
} from './pool.ts';

export interface MemoryRow {
  readonly id: string;
  readonly value: string;
}

interface KeyMemory {
  readonly standing: Standing;
  readonly refusals: readonly Refusal[];
  readonly workedAt: number;
}

interface QuotaMemory {
  readonly cooling?: Cooling;
  readonly strikes: number;
  readonly learnt?: { readonly perMinute: number; readonly at: number };
}

interface PoolMemory {
  readonly proven: number;
  readonly windowMs: number;
  readonly gapMs: number;
}

/** Calls, of them rate limited, last used, last worked; by fingerprint. */
type UseMemory = Readonly<Record<string, readonly [number, number, number, number]>>;

const POOL_ID = 'pool';
/** Of the row that may be written a little later. */
export const USE_ID = 'use';
const KEY_PREFIX = 'key ';
const QUOTA_PREFIX = 'quota ';

/** What is proven moves all the time; it is written in steps of a quarter. */
const PROVEN_STEP = 1.25;

/** Rows that are not here any more have nothing left to remember. */
export function remember(pool: Pool, now: number): MemoryRow[] {
  const rows: MemoryRow[] = [];
  const add = (id: string, memory: KeyMemory | QuotaMemory | PoolMemory) =>
    rows.push({ id, value: JSON.stringify(memory) });
  for (const key of pool.keys.values()) {
    const memory = keyMemory(key);
    if (memory !== undefined) add(KEY_PREFIX + key.fingerprint, memory);
  }
  for (const quota of pool.quotas.values()) {
    const memory = quotaMemory(quota, now);
    if (memory !== undefined) add(QUOTA_PREFIX + quota.id, memory);
  }
  const proven = Math.round(PROVEN_STEP ** Math.floor(Math.log(pool.proven) / Math.log(PROVEN_STEP)));
  add(POOL_ID, {
    proven,
    windowMs: pool.windowMs,
    gapMs: pool.gapMs === 0 ? 0 : Math.round(2 ** Math.round(Math.log2(pool.gapMs))),
  });
  return rows;
}

/** How much each key was used. Changes with every call, so it is written now and then. */
export function rememberUse(pool: Pool): MemoryRow {
  const use = Array.from(pool.keys.values(), (key) => [
    key.fingerprint,
    [key.calls, key.rateLimited, key.lastUsedAt, key.workedAt],
  ]);
  return { id: USE_ID, value: JSON.stringify(Object.fromEntries(use)) };
}

/** @param rows in any order */
export function recall(pool: Pool, rows: readonly MemoryRow[]): void {
  for (const { id, value } of rows) {
    if (id === USE_ID) {
      recallUse(pool, JSON.parse(value) as UseMemory);
    } else if (id === POOL_ID) {
      Object.assign(pool, JSON.parse(value) as PoolMemory);
    } else if (id.startsWith(KEY_PREFIX)) {
      const fingerprint = id.slice(KEY_PREFIX.length);
      Object.assign(knownKey(pool, fingerprint), JSON.parse(value) as KeyMemory);
    } else if (id.startsWith(QUOTA_PREFIX)) {
      const quotaId = id.slice(QUOTA_PREFIX.length);
      pool.quotas.set(quotaId, { ...newQuota(quotaId), ...(JSON.parse(value) as QuotaMemory) });
    }
  }
}

function recallUse(pool: Pool, use: UseMemory): void {
  for (const [fingerprint, [calls, rateLimited, lastUsedAt, workedAt]] of Object.entries(use)) {
    const key = knownKey(pool, fingerprint);
    // The key's own row was written at once, and so knows better when it last worked.
    Object.assign(key, { calls, rateLimited, lastUsedAt, workedAt: Math.max(workedAt, key.workedAt) });
  }
}

/** The roster says its number. */
function knownKey(pool: Pool, fingerprint: string): Key {
  const key = pool.keys.get(fingerprint) ?? newKey({ number: 0, fingerprint });
  pool.keys.set(fingerprint, key);
  return key;
}

function keyMemory({ standing, refusals, workedAt }: Key): KeyMemory | undefined {
  if (standing.is === 'enabled' && refusals.length === 0) return undefined;
  // Only whether it worked after a refusal matters: a time that moves would be written at every call.
  const latest = Math.max(0, ...refusals.map(({ at }) => at));
  return { standing, refusals, workedAt: Math.min(workedAt, latest) };
}

function quotaMemory({ cooling, strikes, learnt }: Quota, now: number): QuotaMemory | undefined {
  const isCooling = cooling !== undefined && cooling.until > now;
  if (!isCooling && strikes === 0 && learnt === undefined) return undefined;
  return { strikes, ...(isCooling && { cooling }), ...(learnt !== undefined && { learnt }) };
}
