/**
 * Runs whose consumer died with their last attempt, or whose task goes elsewhere at once when that happens, where another
 * service is to take the task: the claim leaves them alone (`shared/store/claim.ts`), and they are handed over here.
 *
 * Guarantee: each move is guarded by the run that was lost, so of several batches that meet it one hands it over; a task whose
 * list of services cannot be read ends as it would without one.
 */
import { LOST } from '../../shared/store/claim.ts';
import { type StateRow, stateOfRow } from '../../shared/store/row.ts';
import { type Move, recordTransitions } from '../../shared/store/transitions.ts';
import type { AttemptRecord } from '../../shared/task/attempt.ts';
import { ACK, type Disposition, dispositionOf } from '../../shared/task/disposition.ts';
import { attemptNumber, type TaskState } from '../../shared/task/state.ts';
import { transition } from '../../shared/task/transition.ts';
import type { StoreEnv } from '../env.ts';
import { wakeFallen } from './fallback.ts';
import { handOver } from './hand-over.ts';
import { tellEnds, toldMoves } from './messages.ts';

export interface MovedOn {
  readonly status: TaskState['status'];
  readonly disposition: Disposition;
}

/**
 * @param rows what a claim did not take, whatever the reason
 * @returns where those stand that were handed over, or ended
 */
export async function handOverLost(
  env: StoreEnv,
  rows: Iterable<StateRow>,
  now: number,
): Promise<Map<string, MovedOn>> {
  const lost = [...rows].flatMap((row) => (isLost(row, now) ? [{ row, decision: endOf(row, now) }] : []));
  if (lost.length === 0) return new Map();
  const handed = await handOver(env.db, lost, now);
  const moves = lost.map(({ row, decision }): Move => {
    const { id, status, run } = row;
    return handed.get(id) ?? { id, expected: { status, run }, ...decision };
  });
  const moved = await recordTransitions(env.db, moves);
  const recorded = moves.filter(({ id }) => moved.has(id));
  env.statistics.noteMoves(moves, moved, now);
  await wakeFallen(env, recorded);
  await tellEnds(env, toldMoves(moves, moved));
  // The row carries who was handed over (rule R1).
  return new Map(
    recorded.map(({ id, next, dueAt }) => [id, { status: next.status, disposition: dispositionFor(next, dueAt, now) }]),
  );
}

function dispositionFor(next: TaskState, dueAt: number | undefined, now: number): Disposition {
  return dueAt === undefined ? dispositionOf(next, undefined, now) : ACK;
}

/** Past its deadline the claim ends it. */
function isLost({ status, lease_until: leaseUntil, deadline_at: deadlineAt }: StateRow, now: number): boolean {
  return status === 'running' && leaseUntil !== null && leaseUntil <= now && deadlineAt > now;
}

function endOf(row: StateRow, now: number) {
  const state = stateOfRow(row);
  const failed = transition(state, { type: 'fail', at: now, run: row.run, retryable: false, delayMs: 0 });
  if (!failed.ok) throw new Error(`the lost run of ${row.id} is ${row.status}`);
  const at = row.lease_until ?? now;
  const record: AttemptRecord = {
    run: row.run,
    attempt: attemptNumber(state),
    outcome: 'failed',
    startedAt: at,
    endedAt: at,
    error: LOST,
  };
  return { next: failed.next, error: LOST, record };
}
