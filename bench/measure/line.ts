/** The lines of the report: what is measured on which pair of systems, and what is asked of the ratio. */
import type { Outside } from '../load/outside.ts';
import type { System } from '../system/system.ts';
import { acceptInBatches, acceptSingly, loneTask, pollFinished, type Sample, wholeWay } from './workload.ts';

/** Both sides of a pair give an accepted task the same durability. */
export const PAIRS = ['queue', 'queue+record'] as const;
export type Pair = (typeof PAIRS)[number];

export interface Line {
  readonly name: string;
  readonly pair: Pair;
  readonly unit: 'tasks/s' | 'polls/s' | 'ms';
  /** The least ratio of Tasklane to bare Workers; issue and DESIGN set it. */
  readonly target?: number;
  measure(system: System, outside: Outside, tasks: number): Promise<Sample>;
}

const perPair = (pair: Pair): Line[] => [
  { name: 'accept one by one', pair, unit: 'tasks/s', ...(pair === 'queue' && { target: 0.7 }), measure: acceptSingly },
  { name: 'accept in batches of 100', pair, unit: 'tasks/s', measure: acceptInBatches },
  {
    name: 'whole way, instant backend',
    pair,
    unit: 'tasks/s',
    target: 0.7,
    measure: (system, outside, tasks) => wholeWay(system, outside, tasks, 'instant'),
  },
  {
    name: 'whole way, 50 ms backend',
    pair,
    unit: 'tasks/s',
    measure: (system, outside, tasks) => wholeWay(system, outside, tasks, 'slow50'),
  },
  { name: 'a task alone', pair, unit: 'ms', measure: loneTask },
];

export const LINES: readonly Line[] = [
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
];

/** Above 1 Tasklane is the better one, for rates and for latencies. */
export function ratio(line: Line, tasklane: Sample, bare: Sample): number {
  return line.unit === 'ms' ? bare.value / tasklane.value : tasklane.value / bare.value;
}
