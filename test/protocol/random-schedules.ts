/** The tests of schedules that chance writes, in chunks. A failure names its seed: `runSchedule(seed)` alone repeats it. */
import { env } from 'cloudflare:workers';
import { describe, it } from 'vitest';
import { runSchedule } from './random-schedule.ts';

const CHUNK = 50;

/** `npm run test:schedules` tries 2,000. */
export const SCHEDULES = Number((env as { SCHEDULES?: string }).SCHEDULES ?? 350);

export function trySchedules(first: number, last: number): void {
  describe('no promise breaks in random schedules', () => {
    for (let from = first; from <= last; from += CHUNK) {
      const to = Math.min(from + CHUNK - 1, last);
      it(`${from} to ${to}`, async () => {
        for (let seed = from; seed <= to; seed++) await runSchedule(seed);
      }, 180_000);
    }
  });
}
