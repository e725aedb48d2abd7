/** What an administrator does to a key. Pure over the pool's state. */
import type { KeyAction } from '../../../shared/key/door.ts';
import { keysOf, newQuota, type Pool } from './pool.ts';

export function changeKey(pool: Pool, number: number, action: KeyAction, now: number): void {
  const found = keysOf(pool).find(({ key }) => key.number === number);
  if (found === undefined) return;
  const { key, quota } = found;
  switch (action) {
    case 'disable':
      if (key.standing.is !== 'switched-off') key.standing = { is: 'switched-off', since: now };
      break;
    case 'enable':
      key.standing = { is: 'enabled' };
      key.refusals = [];
      quota.promised.length = 0;
      break;
    case 'reset':
      // As if never used, except for what is under way and an administrator's word.
      if (key.standing.is === 'refused') key.standing = { is: 'enabled' };
      key.refusals = [];
      key.calls = 0;
      key.rateLimited = 0;
      key.hasHitLimit = false;
      Object.assign(quota, { ...newQuota(quota.id), inFlight: quota.inFlight });
      break;
  }
}
