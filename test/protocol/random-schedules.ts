/**
 * The tests of schedules that chance writes, in chunks. A failure names its seed, and
 * `SCHEDULES=1 FIRST_SCHEDULE=587 npx vitest run --project workers test/protocol/random` repeats that of seed 587.
 */
import { env } from 'cloudflare:workers';
import { describe, it } from 'vitest';
import { runSchedule } from './random-schedule.ts';

const CHUNK = 25;

/** `npm run test:schedules` tries 2,000. */
const { SCHEDULES = '350', FIRST_SCHEDULE = '1' } = env as { SCHEDULES?: string; FIRST_SCHEDULE?: string };
const first = Number(FIRST_SCHEDULE);
const middle = first + Math.ceil(Number(SCHEDULES) / 2);
const end = first + Number(SCHEDULES);

const HALVES = { first: [first, middle], second: [middle, end] } as const;

export function trySchedules(half: keyof typeof HALVES): void {
  const [begin, beyond] = HALVES[half];
  describe('no promise breaks in random schedules', () => {
    for (let from = begin; from < beyond; from += CHUNK) {
      const to = Math.min(from + CHUNK, beyond) - 1;
      it(`${from} to ${to}`, async () => {
        for (let seed = from; seed <= to; seed++) await runSchedule(seed);
      }, 900_000);
    }
  });
}
