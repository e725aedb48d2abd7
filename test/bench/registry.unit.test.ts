/** The targets of the registry's benchmark, so that they cannot be missed unseen. */
import { describe, expect, it } from 'vitest';
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
