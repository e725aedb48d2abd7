/** A pool's keys as people see them: by number and fingerprint, never a part of the key. Pure. */
import type { KeyView } from '../../../shared/key/rpc.ts';
import { MAX_IN_PLACE_MS } from './lease.ts';
import { type Key, type Pool, WHOLE_KEY } from './pool.ts';
import { isRefusing } from './status.ts';

export type PooledKeyView = Omit<KeyView, 'pool' | 'key'>;

export function viewOf(pool: Pool, now: number): PooledKeyView[] {
  return pool.current.map((key) => ({
    number: key.number,
    fingerprint: key.fingerprint,
    ...statusOf(pool, key, now),
    inFlight: key.inFlight,
    calls: key.calls,
    rateLimited: key.rateLimited,
    lastUsedAt: key.lastUsedAt === 0 ? undefined : key.lastUsedAt,
    limits: limitsOf(pool, key),
  }));
}

/** More buckets are not shown. */
const MAX_SHOWN = 20;

function limitsOf(pool: Pool, key: Key): KeyView['limits'] {
  const rooms = [...pool.rooms.values()].filter(({ quotaId }) => quotaId === key.quotaId);
  return rooms
    .flatMap(({ bucket, limiter }) =>
      limiter.knownLimits.map((limit) => (bucket === WHOLE_KEY ? limit : { ...limit, bucket })),
    )
    .slice(0, MAX_SHOWN);
}

/** What is sooner is the pace of its limits; when calls under way end, nobody knows. */
function usedUpUntil(nextAt: number, now: number): number {
  return nextAt > now + MAX_IN_PLACE_MS && nextAt < Infinity ? nextAt : 0;
}

/** Cooling means in every bucket: as long as one is open, the key is used. */
function statusOf(pool: Pool, key: Key, now: number): Pick<KeyView, 'state' | 'until' | 'why'> {
  if (key.disabledAt !== undefined) return { state: 'disabled', why: 'switched off' };
  if (isRefusing(key.refusals)) {
    const { refusals, probeAt } = key.refusals;
    return { state: 'disabled', until: Math.max(now, probeAt), why: `refused with ${refusals.at(-1)?.httpStatus}` };
  }
  const rooms = [...pool.rooms.values()].filter(({ quotaId }) => quotaId === key.quotaId);
  const opens = rooms.map(({ limiter }) => limiter.closedUntil ?? usedUpUntil(limiter.nextAt(now), now));
  const until = opens.length === 0 ? 0 : Math.min(...opens);
  if (until <= now) return { state: 'ready' };
  const isExhausted = rooms.some(({ exhausted }) => (exhausted?.until ?? 0) > now);
  return { state: 'cooling', until, why: isExhausted ? 'quota-exhausted' : 'rate-limited' };
}
