/** The table that `npm run bench:capacity` prints: of each figure the median of the runs, and the worst. Pure. */
import type { BoundsCheck } from './bounds.ts';

const COLUMNS = [
  ['provider', 47],
  ['time / ideal', 13],
  ['best', 5],
  ['429s', 13],
  ['spread', 10],
  ['deferrals', 12],
  ['median wait', 0],
] as const;

export const HEADING = COLUMNS.map(([title, width]) => title.padEnd(width))
  .join(' ')
  .trimEnd();

export function lineOf(name: string, bounds: BoundsCheck): string {
  const { time, best, maxTime, limited, spread, deferrals, medianWaitMs, misses } = bounds;
  const cells = [
    name,
    time === undefined ? '–' : `${time.median.toFixed(2)} (${time.worst.toFixed(2)})`,
    best === undefined ? '–' : best.toFixed(2),
    `${percent(limited.median, 1)} (${percent(limited.worst, 1)})`,
    spread === undefined ? '–' : `${percent(spread.median, 0)} (${percent(spread.worst, 0)})`,
    `${deferrals.median.toFixed(2)} (${deferrals.worst.toFixed(2)})`,
    `${(medianWaitMs.worst / 1_000).toFixed(1)} s`.padEnd(10),
  ];
  const line = cells.map((cell, index) => cell.padEnd(COLUMNS[index]?.[1] ?? 0)).join(' ');
  const noted =
    maxTime === undefined ? line : `${line.trimEnd()} (time up to ${maxTime.toFixed(2)}: 15% over the best)`;
  return (misses.length === 0 ? noted : `${noted} ✗ ${misses.join(', ')}`).trimEnd();
}

function percent(share: number, digits: number): string {
  return `${(100 * share).toFixed(digits)}%`;
}
