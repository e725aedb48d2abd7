/** What a job does to the tasks of a chunk: moves, the statements that write them, and whom to tell afterwards. Pure. */
import type { JobAct } from '../../shared/job/job.ts';
import { logError } from '../../shared/log.ts';
import { type StateRow, stateOfRow } from '../../shared/store/row.ts';
import type { Move } from '../../shared/store/transitions.ts';
import { transition } from '../../shared/task/transition.ts';
import { retryMove } from '../runs/retry-move.ts';

export interface PlannedTask {
  readonly id: string;
  /** When it is to start, Unix ms; of a redrive. */
  readonly at: number;
}

/** @param by who asked for the job */
export function movesOf(
  act: Exclude<JobAct, 'purge'>,
  planned: readonly PlannedTask[],
  rows: ReadonlyMap<string, StateRow>,
  by: string,
  now: number,
): Move[] {
  return planned.flatMap(({ id, at }): Move[] => {
    const row = rows.get(id);
    if (row === undefined) return [];
    try {
      return act === 'redrive' ? redrive(row, at, by, now) : cancel(row, now);
    } catch (error) {
      // A row that cannot be read is left for a person, and named (rule R21).
      logError('task.unreadable', { id }, error);
      return [];
    }
  });
}

function redrive(row: StateRow, at: number, by: string, now: number): Move[] {
  const move = retryMove(row, { by, startAt: at }, now);
  return move === undefined ? [] : [move];
}

function cancel(row: StateRow, now: number): Move[] {
  const decision = transition(stateOfRow(row), { type: 'cancel', at: now });
  return decision.ok ? [{ id: row.id, expected: { status: row.status, run: row.run }, next: decision.next }] : [];
}
