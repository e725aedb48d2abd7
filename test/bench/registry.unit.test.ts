/** The targets of the registry's benchmark, so that they cannot be missed unseen. */
import { describe, expect, it } from 'vitest';
import { runFirstCome } from '../../bench/registry/first-come.ts';
import { runStorageDay } from '../../bench/registry/storage-day.ts';
import { runTraffic } from '../../bench/registry/traffic.ts';

describe('a day of a hundred stable servers', () => {
  it.each([
    ['led', 100],
    ['unreachable', 100],
    ['checked', 100],
  ] as const)(
    'costs few storage writes when they are %s',
    async (fleet, most) => {
      const { day, start } = await runStorageDay(100, fleet);
      expect(day.rows + day.alarms).toBeLessThan(most);
      expect(start.rows).toBeGreaterThanOrEqual(100);
    },
    60_000,
  );
});

describe('a slow server among quick ones', () => {
  it('hurts the 99th percentile of peak-EWMA far less than that of round-robin', async () => {
    const [turns, quickest] = [await runTraffic('round-robin'), await runTraffic('peak-ewma')];
    expect(quickest.p99).toBeLessThan(turns.p99 / 3);
  }, 60_000);
});

describe('a spike of 3,000 tasks at ten places, and newcomers after it', () => {
  it('is served first come, first served: at most 5% later than in a perfect line', async () => {
    const { waits, ideal, mostAtOnce, questions, parkedAgain } = await runFirstCome();
    expect(waits.map((wait, index) => wait / ideal[index]!).every((share) => share <= 1.05)).toBe(true);
    expect(mostAtOnce).toBe(10);
    expect(parkedAgain).toBeLessThan(0.01);
    // It was 3.6 when waiting calls were promised times.
    expect(questions).toBeLessThan(1.6);
  }, 60_000);
});
