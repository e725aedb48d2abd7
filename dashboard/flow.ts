/** Counts by hour as series of a chart: hours in which nothing happened are zeros, not gaps. Pure. */
import type { z } from 'zod';
import type { HourlyStatsSchema } from '../producer/schema/statistics.ts';

export type HourlyStats = z.infer<typeof HourlyStatsSchema>;

const HOUR_SECONDS = 3600;

export function flowOf({ hours }: HourlyStats, shown: number, now: number) {
  const byHour = Map.groupBy(hours, ({ hour }) => Date.parse(hour) / 1000);
  const last = Math.floor(now / 1000 / HOUR_SECONDS) * HOUR_SECONDS;
  const times = Array.from({ length: shown }, (_, at) => last - (shown - 1 - at) * HOUR_SECONDS);
  const sums = (read: (row: HourlyStats['hours'][number]) => number) =>
    times.map((time) => (byHour.get(time) ?? []).reduce((sum, row) => sum + read(row), 0));
  return {
    times,
    series: [
      { label: 'Succeeded', colour: '--good', values: sums(({ succeeded }) => succeeded) },
      { label: 'Failed or expired', colour: '--bad', values: sums(({ failed, expired }) => failed + expired) },
    ],
  };
}
