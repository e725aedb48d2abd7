/**
 * Schedules that chance writes. A failure names its seed: `runSchedule(seed)` alone repeats it.
 */
import { describe, it } from 'vitest';
import { runSchedule } from './random-schedule.ts';

const SCHEDULES = 300;
const CHUNK = 50;

describe('no promise breaks in random schedules', () => {
  for (let first = 1; first <= SCHEDULES; first += CHUNK) {
    it(`${first} to ${first + CHUNK - 1}`, async () => {
      for (let seed = first; seed < first + CHUNK; seed++) await runSchedule(seed);
    }, 60_000);
  }
});
