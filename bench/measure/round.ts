/** Rounds: every line on both sides in turn; the side that goes first changes from round to round. */
import type { Outside } from '../load/outside.ts';
import { besideOf, type Options } from '../options.ts';
import type { Sides } from '../system/side.ts';
import { type Line, linesBeside } from './line.ts';
import { type Sample, wholeWay } from './workload.ts';

/**
 * For each system before anything is measured: V8 compiles for thousands of tasks, and heaps grow, at a
 * price, until their first full collection.
 */
const WARM_UP_ROUNDS = 5;

export interface Measured {
  readonly line: Line;
  /** One a round. */
  readonly tasklane: Sample[];
  readonly bare: Sample[];
}

export async function measureRounds(sides: Sides, outside: Outside, options: Options): Promise<Measured[]> {
  const measured = linesBeside(besideOf(options))
    .filter(({ name, pair }) => `${name}, ${pair}`.includes(options.only))
    .map((line): Measured => ({ line, tasklane: [], bare: [] }));
  for (const system of sides.systems) {
    for (let round = 0; round < WARM_UP_ROUNDS; round++) await wholeWay(system, outside, options.tasks, 'instant');
  }
  // Beside itself Tasklane runs code that the whole way has not compiled: with a few rounds only, it would be the colder side.
  for (const { line } of measured) {
    if (line.beside === undefined) continue;
    const { tasklane } = sides.pairs[line.pair];
    for (let round = 0; round < WARM_UP_ROUNDS; round++) await line.measure(tasklane, outside, options.tasks);
  }
  // And a whole round: code that only one side of a line runs would be measured colder than the rest.
  await measureRound(measured, sides, outside, options.tasks, 0);
  for (const lines of measured) {
    lines.tasklane.length = 0;
    lines.bare.length = 0;
  }
  for (let round = 1; round <= options.rounds; round++) {
    await measureRound(measured, sides, outside, options.tasks, round);
  }
  return measured;
}

async function measureRound(
  measured: readonly Measured[],
  sides: Sides,
  outside: Outside,
  tasks: number,
  round: number,
): Promise<void> {
  for (const { line, tasklane, bare } of measured) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[Kround ${round}: ${line.name}, ${line.pair}`);
    const pair = sides.pairs[line.pair];
    const order = round % 2 === 0 ? (['bare', 'tasklane'] as const) : (['tasklane', 'bare'] as const);
    for (const side of order) {
      if (side === 'tasklane') tasklane.push(await line.measure(pair.tasklane, outside, tasks));
      else if (line.beside !== undefined) bare.push(await line.beside(pair.tasklane, outside, tasks));
      else bare.push(await line.measure(pair[line.yardstick ?? 'bare'], outside, tasks));
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
}
