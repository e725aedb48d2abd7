/**
 * `--memory`: 50,000 tasks the whole way through each side, and the memory that its runtime holds after
 * every 5,000. Before them as many that do not count: V8 lets each isolate's heap grow to its first full
 * collection, so a fresh runtime grows whatever it runs, bare Workers too. What counts is whether the
 * last third still grows over the second.
 */

import { alignedTable } from '../../terminal/table.ts';
import type { Outside } from '../load/outside.ts';
import { decimal, mean } from '../report/statistic.ts';
import type { Sides } from '../system/side.ts';
import { wholeWay } from './workload.ts';

const WARM_UP_STEPS = 10;
const STEPS = 10;
const TASKS_PER_STEP = 5_000;

/** The last third's mean may exceed the second's by this much: what garbage not yet collected amounts to. */
const FLAT_GROWTH = 0.1;

/** True when Tasklane's memory is flat. */
export async function measureMemory(sides: Sides, outside: Outside): Promise<boolean> {
  const { tasklane, bare } = sides.pairs.queue;
  const held: Record<'tasklane' | 'bare', number[]> = { tasklane: [], bare: [] };
  for (let step = 0; step < WARM_UP_STEPS + STEPS; step++) {
    for (const side of ['tasklane', 'bare'] as const) {
      const { runtime } = sides.pairs.queue[side];
      await wholeWay(sides.pairs.queue[side], outside, TASKS_PER_STEP, 'instant');
      held[side].push(runtime.residentMegabytes());
    }
  }
  const rows = held.tasklane.map((megabytes, step) => [
    step < WARM_UP_STEPS ? 'warm-up' : decimal((step + 1 - WARM_UP_STEPS) * TASKS_PER_STEP, 0),
    decimal(megabytes, 0),
    decimal(held.bare[step] ?? Number.NaN, 0),
  ]);
  console.log(alignedTable(['tasks', `${tasklane.name}, MB`, `${bare.name}, MB`], rows));
  const flat = growth(held.tasklane) <= FLAT_GROWTH;
  console.log(
    `\nLast third over second third: Tasklane ${percent(growth(held.tasklane))}, bare Workers ${percent(growth(held.bare))}. ` +
      `Tasklane's memory is ${flat ? 'flat' : 'NOT FLAT'} (at most ${percent(FLAT_GROWTH)}).`,
  );
  return flat;
}

function growth(megabytes: readonly number[]): number {
  const third = Math.floor(STEPS / 3);
  const last = megabytes.slice(-third);
  const second = megabytes.slice(-2 * third, -third);
  return mean(last) / mean(second) - 1;
}

function percent(share: number): string {
  return `${share < 0 ? '−' : '+'}${Math.abs(share * 100).toFixed(0)}%`;
}
