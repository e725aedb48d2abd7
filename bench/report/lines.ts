/** The bench's table: both sides, the ratio inside each round, and whether the target is met. */

import { alignedTable } from '../../terminal/table.ts';
import { type Beside, type Line, ratio } from '../measure/line.ts';
import type { Measured } from '../measure/round.ts';
import type { Sample } from '../measure/workload.ts';
import { median, spread } from './statistic.ts';

/** @param commit whose Tasklane stood beside, instead of bare Workers */
export function reportLines(measured: readonly Measured[], beside: Beside, commit?: string): string {
  const one = beside === 'null' ? 'bare again' : 'Tasklane';
  const rounds = measured[0]?.tasklane.length ?? 0;
  const rows = measured.map((lines) => {
    const { line, tasklane, bare } = lines;
    const digits = line.unit === 'ms' ? 1 : 0;
    return [
      `${line.name} [${line.pair}]`,
      line.unit,
      spread(
        tasklane.map(({ value }) => value),
        digits,
      ),
      spread(
        bare.map(({ value }) => value),
        digits,
      ),
      spread(ratios(lines), 2),
      targetOf(line),
      assessment(lines),
      processor(line, tasklane),
      processor(line, bare),
    ];
  });
  const header = ['', 'unit', one, 'beside', 'ratio', 'target', '', `${one} µs`, 'beside µs'];
  return [
    `Median of ${rounds} rounds (lowest–highest). Ratio: ${one} to what it stands beside inside a round, above 1 is better.`,
    ...(commit === undefined ? BARE : [`beside: Tasklane of ${commit}.`]),
    "µs: the runtime's processor time per operation, all of it: queue and database are in the same process.",
    '[queue]: accept only sends. [queue+record]: accept also writes the row and waits for it.',
    '',
    alignedTable(header, rows),
    '',
  ].join('\n');
}

const BARE = [
  'beside: bare Workers in plain Miniflare; where the line says so, bare Workers that leave the runtime as Tasklane',
  'does, another way of the same Tasklane, or the backend itself.',
];

/** One sentence for each target that is not met. */
export function missedTargets(measured: readonly Measured[]): string[] {
  return measured.filter(misses).map((lines) => {
    const { line } = lines;
    const what = `${line.name} [${line.pair}]`;
    if (line.mostAddedMs !== undefined) {
      return `${what} adds ${median(addedMs(lines)).toFixed(1)} ms, not at most ${line.mostAddedMs}`;
    }
    const other = line.beside === undefined ? 'bare Workers' : 'the other way';
    return `${what} reaches ${median(ratios(lines)).toFixed(2)} × ${other}, not ${line.target}`;
  });
}

/** Not for latencies: their polls without a pause keep the processor busy. */
function processor(line: Line, samples: readonly Sample[]): string {
  return line.unit === 'ms' ? '' : spread(samples.map(({ processorMicros }) => processorMicros));
}

function assessment(lines: Measured): string {
  if (lines.line.target === undefined && lines.line.mostAddedMs === undefined) return '';
  return misses(lines) ? 'MISSED' : 'met';
}

function misses(lines: Measured): boolean {
  const { target, mostAddedMs } = lines.line;
  if (mostAddedMs !== undefined) return median(addedMs(lines)) > mostAddedMs;
  return target !== undefined && median(ratios(lines)) < target;
}

function targetOf({ target, mostAddedMs }: Line): string {
  if (mostAddedMs !== undefined) return `+ ≤ ${mostAddedMs} ms`;
  return target === undefined ? '' : `≥ ${target.toFixed(1)}`;
}

function addedMs({ tasklane, bare }: Measured): number[] {
  return tasklane.map(({ value }, round) => value - (bare[round]?.value ?? Number.NaN));
}

function ratios({ line, tasklane, bare }: Measured): number[] {
  return tasklane.map((sample, round) => ratio(line, sample, bare[round] ?? { value: Number.NaN, processorMicros: 0 }));
}
