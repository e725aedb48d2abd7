/**
 * Where a task stands, as a union in which each state carries only its own fields. Times are Unix
 * milliseconds.
 */
import type { RetryPolicy } from './backoff.ts';
import type { HeldField, TaskStatus } from './status.ts';

/**
 * Why a deferred task waits. Waiting for capacity consumes no attempt. A new reason goes to the end: statistics count in
 * this order.
 */
export const DEFERRAL_REASONS = [
  'rate-limited',
  'backend-busy',
  'no-key',
  /** No healthy server offers the service. */
  'no-server',
  /** Every server that could take it, or the service itself, has all the calls that it may have. */
  'server-busy',
  /** Nobody is there at the service's address. */
  'unreachable',
  /** An administrator paused the service. */
  'paused',
  'key-refused',
  /** It could not have ended within its lease, so it was not called. */
  'lease-too-short',
  /** The consumer could not go on with its batch before the call. */
  'not-started',
  'misconfigured',
  /** Its flow has all the calls that it may have. */
  'flow-limited',
] as const;
export type DeferralReason = (typeof DEFERRAL_REASONS)[number];

/** What every state carries. */
export interface Counters {
  /** Grows at every claim and never goes back; fences leases, settles and callback tokens (rule R3). */
  readonly run: number;
  /** Runs that were deferrals and consumed no attempt. */
  readonly deferrals: number;
  /** Runs that a manual retry wrote off. */
  readonly attemptsOffset: number;
  readonly policy: RetryPolicy;
  /** No task outlives it (rule R4). */
  readonly deadlineAt: number;
}

/** What some states carry beside the counters; `status.ts` says which carries what. */
export interface StateFields {
  /** When it may run next. */
  readonly nextAt: number;
  readonly leaseUntil: number;
  readonly callbackUntil: number;
  readonly callbackTimeoutMs: number;
  readonly reason: DeferralReason;
  /** The line in which it stands: its capacity's owner wakes it, `nextAt` is the fallback, no message carries it (rule R20). */
  readonly parkedFor: string | undefined;
  readonly finishedAt: number;
}

export type TaskState = {
  [Status in TaskStatus]: Counters & { readonly status: Status } & Pick<StateFields, HeldField<Status>>;
}[TaskStatus];

export type StateOf<Status extends TaskState['status']> = Extract<TaskState, { status: Status }>;

/** What the running attempt is called, from 1: a manual retry does not start to count again. */
export function attemptNumber({ run, deferrals }: Pick<Counters, 'run' | 'deferrals'>): number {
  return run - deferrals;
}

/** Attempts used since submission or the last manual retry, the running one included: what `maxAttempts` bounds. */
export function attemptsUsed(counters: Counters): number {
  return counters.run - counters.deferrals - counters.attemptsOffset;
}
