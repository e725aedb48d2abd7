/** How long a quota cools after a rate limit. Pure over its state. */

import { forgetStarts, type StartLog } from '../../../shared/pace/start-log.ts';
import type { Quota } from './pool.ts';

const MINUTE_MS = 60_000;

/** `Retry-After: 0` must not spin: a floor that doubles like the default. */
const COOLDOWN_FLOOR_MS = 250;
const FIRST_COOLDOWN_MS = 2_000;
const MAX_DEFAULT_COOLDOWN_MS = 10 * MINUTE_MS;
const FIRST_QUOTA_COOLDOWN_MS = 60 * MINUTE_MS;
/** Even a quota of a month is looked at once a day. */
const MAX_COOLDOWN_MS = 24 * 60 * MINUTE_MS;

/**
 * Cools a quota until the backend's word, or for a time that doubles while nothing works. Never
 * shortens a cooldown under way.
 * @param startedAt of the call that was limited: calls under way together are one strike
 * @returns until when it cools, and the promised starts that this makes void: those tasks are placed anew when they come
 */
export function cool(
  quota: Quota,
  limit: { readonly quota: boolean; readonly resetAt: number | undefined },
  startedAt: number,
  now: number,
): { readonly until: number; readonly displaced: StartLog } {
  if (quota.cooling === undefined || startedAt >= quota.cooling.since) quota.strikes += 1;
  const base = limit.quota ? FIRST_QUOTA_COOLDOWN_MS : FIRST_COOLDOWN_MS;
  const cap = limit.quota ? MAX_COOLDOWN_MS : MAX_DEFAULT_COOLDOWN_MS;
  const doubled = 2 ** Math.min(20, quota.strikes - 1);
  const byDefault = now + Math.min(cap, base * doubled);
  const floor = now + Math.min(MINUTE_MS, COOLDOWN_FLOOR_MS * doubled);
  const until = Math.min(now + MAX_COOLDOWN_MS, Math.max(floor, limit.resetAt ?? byDefault));
  if (quota.cooling !== undefined && quota.cooling.until >= until) {
    quota.cooling = { ...quota.cooling, since: now };
  } else {
    quota.cooling = { until, since: now, why: limit.quota ? 'quota-exhausted' : 'rate-limited' };
  }
  const { until: coolUntil } = quota.cooling;
  const displaced = quota.promised.filter(({ at }) => at <= coolUntil);
  forgetStarts(quota.promised, coolUntil);
  return { until: coolUntil, displaced };
}
