/** What a row of the capacity bench is, and what most of them are made of. */
import type { Limits } from './provider.ts';
import type { Result, Scenario, SimulatedTask } from './simulation.ts';

export interface Row {
  readonly name: string;
  readonly scenario: Scenario;
  /** Seconds at the pace of the limits themselves, from the start or from `idealFromMs`. */
  readonly idealSeconds?: number;
  readonly idealFromMs?: number;
  readonly maxLimitedShare: number;
  /** Tasks that are to blame themselves; no other may fail. */
  readonly isToBlame?: (task: SimulatedTask) => boolean;
  /** Median of how long the others wait. */
  readonly maxMedianWaitMs?: number;
  /** @returns what is wrong, if something is */
  readonly extra?: (result: Result) => string | undefined;
}

export const TOLD = 0.05;
/** Where the provider is silent, or the limit is under six calls. */
export const UNTOLD = 0.12;

export const at = (
  count: number,
  arrivesAt: (index: number) => number = () => 0,
  more: Partial<SimulatedTask> = {},
): SimulatedTask[] => Array.from({ length: count }, (_, index) => ({ arrivesAt: arrivesAt(index), ...more }));

export const fixed = (calls: number, seconds: number, more: Partial<Limits> = {}): Limits => ({
  kind: 'fixed',
  limit: calls,
  windowMs: seconds * 1_000,
  tells: true,
  ...more,
});
