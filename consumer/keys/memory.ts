/**
 * What of a pool must survive the eviction of its owner: coolings, learnt limits, keys out of use and
 * the refusals by which tasks are judged. The rest (windows, what is under way, counters) is built up
 * again. Rows are small JSON texts by id; there is no place for a key's value in them. Pure.
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
  readonly gapMs: number;
}

const POOL_ID = 'pool';
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
  add(POOL_ID, { proven, gapMs: pool.gapMs === 0 ? 0 : Math.round(2 ** Math.round(Math.log2(pool.gapMs))) });
  return rows;
}

export function recall(pool: Pool, rows: readonly MemoryRow[]): void {
  for (const { id, value } of rows) {
    if (id === POOL_ID) {
      Object.assign(pool, JSON.parse(value) as PoolMemory);
    } else if (id.startsWith(KEY_PREFIX)) {
      const fingerprint = id.slice(KEY_PREFIX.length);
      // The roster says its number.
      pool.keys.set(fingerprint, { ...newKey({ number: 0, fingerprint }), ...(JSON.parse(value) as KeyMemory) });
    } else if (id.startsWith(QUOTA_PREFIX)) {
      const quotaId = id.slice(QUOTA_PREFIX.length);
      pool.quotas.set(quotaId, { ...newQuota(quotaId), ...(JSON.parse(value) as QuotaMemory) });
    }
  }
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
