/** Which faults are tried at which calls, and the table of what came of it. Pure. */
import { FAULT_KINDS, type Fault, type FaultKind } from './faults.ts';
import type { FaultRun, Rehearsal } from './rehearse.ts';

export type Extent = 'none' | 'some' | 'all';

export const EXTENTS: readonly Extent[] = ['none', 'some', 'all'];

/** Of the calls that change something each sixth, with another fault each time; a few of those that read. */
const SOME_CHANGES = 6;
const SOME_READS = 29;

/** @param round moves the selection on, so that scenarios meet different faults */
export function faultsFor({ calls }: Rehearsal, extent: Extent, round = 0): Fault[] {
  if (extent === 'none') return [];
  const all = calls.flatMap(({ changes }, index) =>
    // A question that is never answered is asked again: nothing new, and slow to try.
    FAULT_KINDS.filter((kind) => changes || !kind.startsWith('time-out')).map((kind) => ({
      fault: { kind, call: index + 1 },
      changes,
    })),
  );
  if (extent === 'all') return all.map(({ fault }) => fault);
  const every = (items: typeof all, step: number) => {
    const first = (7 * round) % Math.min(step, items.length);
    return items.filter((_, index) => index % step === first);
  };
  return [
    ...every(
      all.filter(({ changes }) => changes),
      SOME_CHANGES * FAULT_KINDS.length + 1,
    ),
    ...every(
      all.filter(({ changes }) => !changes),
      SOME_READS * FAULT_KINDS.length + 1,
    ),
  ].map(({ fault }) => fault);
}

export const MATRIX_HEADER = ['', 'calls', 'runs', 'by itself', 'second run', 'failed'];

export function scenarioRows(rehearsals: readonly Rehearsal[], runs: readonly FaultRun[]): string[][] {
  return rehearsals.map(({ scenario, calls }) => [
    scenario.name,
    String(calls.length),
    ...counts(runs.filter((run) => run.scenario === scenario.name)),
  ]);
}

export function faultRows(runs: readonly FaultRun[]): string[][] {
  return FAULT_KINDS.map((kind: FaultKind) => [kind, ...counts(runs.filter(({ fault }) => fault.kind === kind))]);
}

function counts(runs: readonly FaultRun[]): string[] {
  const good = runs.filter(({ problems }) => problems.length === 0);
  const healed = good.filter((run) => run.healed).length;
  return [runs.length, healed, good.length - healed, runs.length - good.length].map(String);
}
