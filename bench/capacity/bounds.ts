/** Whether the runs of a row are what is asked of it. Each bound holds in the worst of them. Pure. */
import type { Best } from './oracle.ts';
import type { Row } from './row.ts';
import type { Result } from './simulation.ts';

const MAX_TIME_RATIO = 1.15;
/** Of use over equal keys, where each gets so many calls that one of them is less; or what the best caller comes to. */
const MAX_SPREAD = 0.1;
const MIN_USES = 20;
const MAX_DEFERRALS = 1.1;

interface Range {
  readonly median: number;
  readonly worst: number;
}

export interface BoundsCheck {
  readonly time: Range | undefined;
  /** Of a caller that knows every limit. */
  readonly best: number | undefined;
  /** What time may come to, where batches that run one at a time keep even that caller from the limits' own pace. */
  readonly maxTime: number | undefined;
  readonly limited: Range;
  readonly spread: Range | undefined;
  readonly deferrals: Range;
  /** Of the tasks that are not odd themselves. */
  readonly medianWaitMs: Range;
  readonly misses: readonly string[];
}

export interface Run {
  readonly result: Result;
  readonly best: Best | undefined;
  /** The best caller in batches that run one at a time, where it is one of these that ran. */
  readonly bestInBatches?: Best | undefined;
}

export function checkBounds(row: Row, runs: readonly Run[]): BoundsCheck {
  const misses = new Set<string>();
  const isBlamed = row.isToBlame ?? (() => false);
  const { idealSeconds, idealFromMs = 0, maxLimitedShare, maxMedianWaitMs = Infinity } = row;
  for (const { result } of runs) {
    const wronged = result.tasks.filter(({ task, outcome }) => !isBlamed(task) && outcome !== 'succeeded').length;
    if (wronged > 0) misses.add(`${wronged} tasks did not succeed`);
    const extra = row.extra?.(result);
    if (extra !== undefined) misses.add(extra);
  }
  const results = runs.map(({ result }) => result);
  const ratio = (ms: number) => (ms - idealFromMs) / 1_000 / (idealSeconds ?? 1);
  const time = idealSeconds === undefined ? undefined : range(results.map(({ ms }) => ratio(ms)));
  const bests = runs.flatMap(({ best }) => best ?? []);
  const inBatches = runs.flatMap(({ bestInBatches }) => bestInBatches ?? []);
  const bestRatio = range((inBatches.length > 0 ? inBatches : bests).map(({ ms }) => ratio(ms))).median;
  const maxTime = MAX_TIME_RATIO * (inBatches.length > 0 ? Math.max(1, bestRatio) : 1);
  const limited = range(results.map((result) => result.limited / Math.max(1, result.calls)));
  // Where no limit is met, one key goes ahead of the others to find it.
  const isLimited = row.scenario.limits.kind !== 'none';
  const spreads = isLimited ? results.flatMap((result) => spreadOf(usesOf(result, idealFromMs)) ?? []) : [];
  const spread = spreads.length === 0 ? undefined : range(spreads);
  const deferrals = range(results.map(({ tasks }) => sum(tasks.map((task) => task.deferrals)) / tasks.length));
  const medianWaitMs = range(
    results.map(({ tasks }) => {
      const others = tasks.filter(({ task, outcome }) => !isBlamed(task) && outcome === 'succeeded');
      return range(others.map(({ startedAt = 0, task }) => startedAt - task.arrivesAt)).median;
    }),
  );
  if (time !== undefined && time.worst > maxTime) misses.add(`time ${time.worst.toFixed(3)}`);
  if (limited.worst > maxLimitedShare) misses.add(`429s ${(100 * limited.worst).toFixed(1)}%`);
  if (spread !== undefined && spread.worst > maxSpread(bests)) misses.add(`spread ${(100 * spread.worst).toFixed(0)}%`);
  if (deferrals.worst > MAX_DEFERRALS) misses.add(`${deferrals.worst.toFixed(2)} deferrals a task`);
  if (medianWaitMs.worst > maxMedianWaitMs) misses.add(`median wait ${(medianWaitMs.worst / 1_000).toFixed(1)} s`);
  return {
    time,
    best: bests.length === 0 ? undefined : bestRatio,
    maxTime: maxTime > MAX_TIME_RATIO ? maxTime : undefined,
    limited,
    spread,
    deferrals,
    medianWaitMs,
    misses: [...misses],
  };
}

/** By key. */
function usesOf({ tasks }: Result, fromMs: number): number[] {
  const uses = new Map<number, number>();
  for (const { key, task } of tasks) {
    if (key !== undefined && task.arrivesAt >= fromMs) uses.set(key, (uses.get(key) ?? 0) + 1);
  }
  return [...uses.values()];
}

function maxSpread(bests: readonly Best[]): number {
  return Math.max(MAX_SPREAD, ...bests.flatMap(({ uses }) => spreadOf(uses) ?? []));
}

function spreadOf(uses: readonly number[]): number | undefined {
  const mean = sum(uses) / Math.max(1, uses.length);
  if (mean < MIN_USES) return undefined;
  return Math.max(...uses.map((use) => Math.abs(use - mean) / mean));
}

function range(values: readonly number[]): Range {
  const sorted = [...values].sort((a, b) => a - b);
  return { median: sorted[sorted.length >> 1] ?? 0, worst: sorted.at(-1) ?? 0 };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
