/** The lines of the report: what is measured on which pair of systems, and what is asked of the ratio. */
import type { Outside } from '../load/outside.ts';
import type { System } from '../system/system.ts';
import {
  acceptInBatches,
  acceptSingly,
  callSynchronously,
  loneTask,
  pollFinished,
  type Sample,
  wholeWay,
} from './workload.ts';

/** Both sides of a pair give an accepted task the same durability. */
export const PAIRS = ['queue', 'queue+record'] as const;
export type Pair = (typeof PAIRS)[number];

/**
 * Bare Workers as Miniflare runs them; or with the local run's way out of the runtime (`local/network.ts`); or with that
 * and with Tasklane's headers, hops and writes.
 */
export type Yardstick = 'bare' | 'bareDirect' | 'bareAlike';

export interface Line {
  readonly name: string;
  readonly pair: Pair;
  readonly unit: 'tasks/s' | 'polls/s' | 'ms';
  /** The least ratio of Tasklane to bare Workers; issue and DESIGN set it. */
  readonly target?: number;
  /** The most milliseconds that Tasklane may add, at the median. */
  readonly mostAddedMs?: number;
  measure: Measure;
  /** Which bare Workers stand beside it: `bare` by default. */
  readonly yardstick?: Yardstick;
  /** What Tasklane itself is measured beside, instead of bare Workers. */
  beside?: Measure;
}

type Measure = (system: System, outside: Outside, tasks: number) => Promise<Sample>;

const instant: Measure = (system, outside, tasks) => wholeWay(system, outside, tasks, 'instant');

/** One way of Tasklane beside another of its own: these lines need no bare Workers. */
const OWN_LINES: readonly Line[] = [
  {
    name: 'whole way, server from the registry, beside a fixed target',
    pair: 'queue',
    unit: 'tasks/s',
    target: 0.9,
    measure: (system, outside, tasks) => wholeWay(system, outside, tasks, 'served'),
    beside: instant,
  },
  {
    name: "whole way, with a pool's keys, beside without",
    pair: 'queue',
    unit: 'tasks/s',
    target: 0.9,
    measure: (system, outside, tasks) => wholeWay(system, outside, tasks, 'keyed'),
    beside: instant,
  },
  {
    name: 'synchronous route, beside a direct call',
    pair: 'queue',
    unit: 'ms',
    mostAddedMs: 3,
    measure: (system, outside) => callSynchronously(system, outside, 'route'),
    beside: (system, outside) => callSynchronously(system, outside, 'direct'),
  },
];

const perPair = (pair: Pair): Line[] => [
  { name: 'accept one by one', pair, unit: 'tasks/s', ...(pair === 'queue' && { target: 0.7 }), measure: acceptSingly },
  { name: 'accept in batches of 100', pair, unit: 'tasks/s', measure: acceptInBatches },
  {
    name: 'whole way, instant backend',
    pair,
    unit: 'tasks/s',
    target: 0.7,
    measure: instant,
  },
  {
    name: 'whole way, instant backend, beside bare with the same way out',
    pair,
    unit: 'tasks/s',
    yardstick: 'bareDirect',
    measure: instant,
  },
  {
    name: 'whole way, instant backend, beside bare with the same way out, headers and writes',
    pair,
    unit: 'tasks/s',
    yardstick: 'bareAlike',
    measure: instant,
  },
  {
    name: 'whole way, 50 ms backend',
    pair,
    unit: 'tasks/s',
    measure: (system, outside, tasks) => wholeWay(system, outside, tasks, 'slow50'),
  },
  { name: 'a task alone', pair, unit: 'ms', measure: loneTask },
];

const LINES: readonly Line[] = [
  ...PAIRS.flatMap(perPair),
  {
    name: 'poll of a finished task, hot',
    pair: 'queue',
    unit: 'polls/s',
    target: 2,
    measure: (system, outside, polls) => pollFinished(system, outside, polls, 'a hundred'),
  },
  {
    name: 'poll of a finished task, first',
    pair: 'queue',
    unit: 'polls/s',
    measure: (system, outside, polls) => pollFinished(system, outside, polls, 'each once'),
  },
  ...OWN_LINES,
];

/** What stands beside Tasklane: bare Workers, or in their place other bare Workers on both sides, or another commit. */
export type Beside = 'bare' | 'null' | 'commit';

/**
 * A null run has no Tasklane to measure beside itself, and is about plain bare Workers. Of another commit every line has its
 * own, and none has a target.
 */
export function linesBeside(beside: Beside): readonly Line[] {
  if (beside === 'bare') return LINES;
  const plain = LINES.filter(({ yardstick }) => yardstick === undefined);
  if (beside === 'null') return plain.filter((line) => line.beside === undefined);
  return plain.map(({ name, pair, unit, measure }) => ({ name: name.replace(/, beside .*/, ''), pair, unit, measure }));
}

/** Above 1 Tasklane is the better one, for rates and for latencies. */
export function ratio(line: Line, tasklane: Sample, bare: Sample): number {
  return line.unit === 'ms' ? bare.value / tasklane.value : tasklane.value / bare.value;
}
