/**
 * A task whose service has failed and that names another one for this case: it is handed over with fresh attempts. Its
 * row is written first, with a time at which the sweeper looks, then a wake-up is sent that knows the new service
 * (rule R1); the message of the old one is acked.
 */
import { logError } from '../../shared/log.ts';
import type { Move } from '../../shared/store/transitions.ts';
import type { AttemptRecord, TaskError } from '../../shared/task/attempt.ts';
import { graceMs } from '../../shared/task/backoff.ts';
import type { Fallback } from '../../shared/task/request.ts';
import type { TaskState } from '../../shared/task/state.ts';
import { transition } from '../../shared/task/transition.ts';
import type { CallbackEnv } from '../env.ts';
import { sendWakes } from '../wake.ts';

interface FailedAttempt {
  readonly fallback?: Fallback | undefined;
  readonly record?: AttemptRecord | undefined;
  readonly error?: TaskError | undefined;
}

/**
 * @param failed where the task would go without a fallback
 * @returns undefined when it goes there: there is no fallback, or an attempt is left
 */
export function fallBack(
  id: string,
  state: TaskState,
  failed: TaskState,
  { fallback, record, error }: FailedAttempt,
  now: number,
): Move | undefined {
  if (fallback === undefined || (failed.status !== 'failed' && !fallback.atOnce)) return undefined;
  if (state.deadlineAt <= now) return undefined;
  const decision = transition(state, { type: 'fall-back', at: now, run: state.run });
  if (!decision.ok) return undefined;
  const { nextAt: _, delayMs: __, delayReason: ___, ...kept } = record ?? {};
  return {
    id,
    expected: { status: state.status, run: state.run },
    next: decision.next,
    service: fallback.service,
    ...(fallback.from !== undefined && { from: fallback.from }),
    settled: { run: state.run, status: 'failed' },
    dueAt: now + graceMs(0),
    sends: 1,
    ...(error !== undefined && { error }),
    ...(record !== undefined && { record: { ...kept, fallback: fallback.service } as AttemptRecord }),
  };
}

/** A wake-up that cannot be sent costs the sweeper's grace, and no task. */
export async function wakeFallen(env: Pick<CallbackEnv, 'taskQueues'>, moves: readonly Move[]): Promise<void> {
  const wakes = moves.flatMap(({ id, service }) => (service === undefined ? [] : [{ id, service, delayMs: 0 }]));
  if (wakes.length === 0) return;
  try {
    await sendWakes(env.taskQueues, wakes);
  } catch (error) {
    logError('wake.failed', { tasks: wakes.length }, error);
  }
}
