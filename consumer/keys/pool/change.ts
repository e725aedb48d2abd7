/** What an administrator does to a key. Changes the pool in place, without I/O. */

import type { KeyAction } from '../../../shared/key/rpc.ts';
import { hastenLines } from './line.ts';
import { noteNews, type Pool, resetRoom } from './pool.ts';
import { RefusalState } from './status.ts';

export function changeKey(pool: Pool, number: number, action: KeyAction, now: number): void {
  const key = pool.current.find((each) => each.number === number);
  if (key === undefined) return;
  noteNews(pool);
  hastenLines(pool);
  pool.places.clear();
  switch (action) {
    case 'disable':
      key.disabledAt ??= now;
      break;
    case 'enable':
      key.disabledAt = undefined;
      Object.assign(key.refusals, new RefusalState());
      break;
    case 'reset':
      // As if never used, except for what is under way and an administrator's word.
      Object.assign(key.refusals, new RefusalState());
      key.calls = 0;
      key.rateLimited = 0;
      for (const room of pool.rooms.values()) if (room.quotaId === key.quotaId) resetRoom(pool, room, now);
      break;
  }
}
