/**
 * What the sweeper does with a task whose `due_at` has come. Pure. It wakes a task only after its
 * row says when to look again, and the grace until then grows, so a task is never lost and never
 * hammered.
 */
import type { AttemptRecord, TaskError } from '../../shared/task/attempt.ts';
import { graceMs, retryDelayMs, wholeSeconds } from '../../shared/task/backoff.ts';
import { MAX_QUEUE_DELAY_MS } from '../../shared/task/disposition.ts';
import { attemptNumber, attemptsUsed, type TaskState } from '../../shared/task/state.ts';
import { type TaskEvent, transition } from '../../shared/task/transition.ts';

export interface SweepDecision {
  readonly next: TaskState;
  readonly dueAt: number | undefined;
  readonly sends: number;
  /** The delay of the wake-up to send once the row is written. */
  readonly wakeDelayMs: number | undefined;
  readonly error?: TaskError;
  readonly record?: AttemptRecord;
}

const OVERDUE: TaskError = {
  class: 'callback-timeout',
  message: 'The backend accepted the task and did not call back in time.',
};
const EXPIRED: TaskError = { class: 'deadline', message: 'The deadline passed.' };

/**
 * @param sends wake-ups sent since the last claim
 * @param random a number in [0, 1)
 */
export function decideSweep(state: TaskState, sends: number, now: number, random: number): SweepDecision {
  const expired = transition(state, { type: 'expire', at: now });
  if (expired.ok) return { next: expired.next, dueAt: undefined, sends, wakeDelayMs: undefined, error: EXPIRED };

  if (state.status === 'waiting') return decideOverdue(state, now, random);
  if (state.status === 'running' && state.leaseUntil > now) {
    return { next: state, dueAt: state.leaseUntil, sends, wakeDelayMs: undefined };
  }
  const nextAt = 'nextAt' in state ? Math.max(state.nextAt, now) : now;
  const delayMs = wholeSeconds(nextAt - now);
  if (delayMs > MAX_QUEUE_DELAY_MS) {
    return { next: state, dueAt: nextAt - MAX_QUEUE_DELAY_MS, sends, wakeDelayMs: undefined };
  }
  return { next: state, dueAt: now + delayMs + graceMs(sends), sends: sends + 1, wakeDelayMs: delayMs };
}

function decideOverdue(state: Extract<TaskState, { status: 'waiting' }>, now: number, random: number): SweepDecision {
  const delayMs = retryDelayMs(state.policy, attemptsUsed(state), random);
  const event: TaskEvent = { type: 'overdue', at: now, delayMs };
  const overdue = transition(state, event);
  if (!overdue.ok) return { next: state, dueAt: state.callbackUntil, sends: 0, wakeDelayMs: undefined };
  const { next } = overdue;
  const record: AttemptRecord = {
    run: state.run,
    attempt: attemptNumber(state),
    outcome: 'failed',
    startedAt: state.callbackUntil - state.callbackTimeoutMs,
    endedAt: now,
    error: OVERDUE,
  };
  if (next.status !== 'retrying')
    return { next, dueAt: undefined, sends: 0, wakeDelayMs: undefined, error: OVERDUE, record };
  const wakeDelayMs = wholeSeconds(next.nextAt - now);
  return {
    next,
    dueAt: now + wakeDelayMs + graceMs(0),
    sends: 1,
    wakeDelayMs,
    error: OVERDUE,
    record: { ...record, nextAt: next.nextAt, delayMs: wakeDelayMs, delayReason: 'backoff' },
  };
}
