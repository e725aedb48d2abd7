/** How a failed or expired task is made to run again by hand, alone or as one of many. Pure. */
import { MAX_DEADLINE_SECONDS } from '../../shared/service/definition.ts';
import { type StateRow, stateOfRow } from '../../shared/store/row.ts';
import type { Move } from '../../shared/store/transitions.ts';
import { graceMs } from '../../shared/task/backoff.ts';
import { taskCreatedAt } from '../../shared/task/id.ts';
import { attemptNumber } from '../../shared/task/state.ts';
import { transition } from '../../shared/task/transition.ts';

export interface Retry {
  /** The new deadline, Unix ms; when absent the task gets as long as it was given at first. */
  readonly deadlineAt?: number | undefined;
  /** Who asks. */
  readonly by?: string | undefined;
  /** When it is to start, Unix ms. */
  readonly startAt: number;
}

/** @returns undefined when the task cannot be run again */
export function retryMove(row: StateRow, { deadlineAt, by, startAt }: Retry, now: number): Move | undefined {
  if (row.bodies_deleted_at !== null) return undefined;
  const state = stateOfRow(row);
  const lifeMs = row.life_ms ?? Math.min(row.deadline_at - taskCreatedAt(row.id), MAX_DEADLINE_SECONDS * 1000);
  const decision = transition(state, { type: 'retry', at: now, deadlineAt: deadlineAt ?? startAt + lifeMs });
  if (!decision.ok) return undefined;
  return {
    id: row.id,
    expected: { status: row.status, run: row.run },
    next: decision.next,
    dueAt: startAt + graceMs(0),
    sends: 1,
    lifeMs,
    record: {
      run: state.run,
      attempt: attemptNumber(state),
      outcome: 'retried',
      startedAt: now,
      endedAt: now,
      ...(by !== undefined && { by }),
    },
  };
}
