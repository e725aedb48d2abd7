/** A pool's keys as people see them: by number and fingerprint, never a part of the key. Pure. */
import type { KeyView } from '../../../shared/key/door.ts';
import { type Key, keysOf, type Pool, type Quota } from './pool.ts';

export type PooledKeyView = Omit<KeyView, 'pool' | 'key'>;

export function viewOf(pool: Pool, now: number): PooledKeyView[] {
  return keysOf(pool).map(({ key, quota }) => ({
    number: key.number,
    fingerprint: key.fingerprint,
    ...standingOf(key, quota, now),
    inFlight: key.inFlight,
    calls: key.calls,
    rateLimited: key.rateLimited,
    lastUsedAt: key.lastUsedAt === 0 ? undefined : key.lastUsedAt,
  }));
}

function standingOf({ standing }: Key, { cooling }: Quota, now: number): Pick<KeyView, 'state' | 'until' | 'why'> {
  switch (standing.is) {
    case 'switched-off':
      return { state: 'disabled', why: 'switched off' };
    case 'refused':
      return { state: 'disabled', until: standing.probeAt, why: `refused with ${standing.httpStatus}` };
    case 'enabled':
      if (cooling === undefined || cooling.until <= now) return { state: 'ready' };
      return { state: 'cooling', until: cooling.until, why: cooling.why };
  }
}
