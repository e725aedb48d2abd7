/** Whether the runs of a row are what is asked of it. Pure. */
import type { Row } from './rows.ts';
import type { Result } from './simulation.ts';

const MAX_TIME_RATIO = 1.15;

export interface Judgement {
  readonly name: string;
  /** The median of the runs, and the worst. */
  readonly time: { readonly median: number; readonly worst: number } | undefined;
  readonly limited: { readonly median: number; readonly worst: number };
  readonly spread: number | undefined;
  readonly deferrals: number;
  readonly waitMs: number;
  readonly misses: readonly string[];
}

export function judge(row: Row, results: readonly Result[]): Judgement {
  const misses = new Set<string>();
  const isBlamed = row.isToBlame ?? (() => false);
  for (const result of results) {
    const others = result.tasks.filter(({ task }) => !isBlamed(task));
    const wronged = others.filter(({ outcome }) => outcome !== 'succeeded').length;
    if (wronged > 0) misses.add(`${wronged} tasks did not succeed`);
    const extra = row.extra?.(result);
    if (extra !== undefined) misses.add(extra);
  }
  const { idealSeconds, maxLimitedShare = Infinity, maxSpread = Infinity, maxDeferrals = Infinity } = row;
  const time = idealSeconds === undefined ? undefined : range(results.map(({ ms }) => ms / 1_000 / idealSeconds));
  const limited = range(results.map(({ limited: count, calls }) => count / Math.max(1, calls)));
  const spread = range(results.map(({ useByKey }) => spreadOf([...useByKey.values()]))).median;
  const deferrals = range(results.map(({ tasks }) => sum(tasks.map((task) => task.deferrals)) / tasks.length)).worst;
  const waitMs = range(
    results.map(({ tasks }) => {
      const waits = tasks.filter(({ task, outcome }) => !isBlamed(task) && outcome === 'succeeded');
      return range(waits.map(({ startedAt = 0, task }) => startedAt - task.arrivesAt)).median;
    }),
  ).worst;
  if (time !== undefined && time.worst > MAX_TIME_RATIO) misses.add(`time ${time.worst.toFixed(3)}`);
  if (limited.median > maxLimitedShare) misses.add(`429s ${(100 * limited.median).toFixed(1)}%`);
  if (spread > maxSpread) misses.add(`spread ${(100 * spread).toFixed(0)}%`);
  if (deferrals > maxDeferrals) misses.add(`${deferrals.toFixed(2)} deferrals a task`);
  if (waitMs > (row.maxMedianWaitMs ?? Infinity)) misses.add(`median wait ${(waitMs / 1_000).toFixed(1)} s`);
  return {
    name: row.name,
    time,
    limited,
    spread: row.maxSpread === undefined ? undefined : spread,
    deferrals,
    waitMs,
    misses: [...misses],
  };
}

function spreadOf(uses: readonly number[]): number {
  if (uses.length === 0) return 0;
  const mean = sum(uses) / uses.length;
  return Math.max(...uses.map((use) => Math.abs(use - mean) / mean));
}

function range(values: readonly number[]): { readonly median: number; readonly worst: number } {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1] ?? 0, worst: sorted.at(-1) ?? 0 };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
