/**
 * The transition table: what each event does to a task in each state. Pure: the clock is in the
 * event, the dice were thrown before. The claim is written once more, as SQL, in
 * `shared/store/claim.ts`, because one statement must decide for a whole batch; a test holds the two
 * against each other for every state.
 *
 * Guarantees: a terminal state is left only by a manual retry of those that allow it; nothing
 * outlives its deadline; only a success may come from an older run (rule R3).
 */
import { attemptsUsed, type Counters, type DeferralReason, type StateOf, type TaskState } from './state.ts';
import { isTerminal, openFacts, RETRYABLE_STATUSES } from './status.ts';

/** Deferrals past this many count as attempts, so that waiting for capacity ends too (rule R18). */
export const MAX_FREE_DEFERRALS = 1000;

export type TaskEvent =
  /** A consumer wants to run the task under a lease. */
  | { readonly type: 'claim'; readonly at: number; readonly leaseMs: number }
  /** The backend answered 2xx, or called back with a result. */
  | { readonly type: 'succeed'; readonly at: number; readonly run: number }
  /** The backend answered 202 and will call back. */
  | { readonly type: 'accept'; readonly at: number; readonly run: number; readonly callbackTimeoutMs: number }
  /** No capacity: wait without consuming the attempt. */
  | {
      readonly type: 'defer';
      readonly at: number;
      readonly run: number;
      readonly reason: DeferralReason;
      readonly delayMs: number;
      /** It stands in line for its capacity, whose owner wakes it; `delayMs` is the fallback (rule R20). */
      readonly park?:
        | { readonly line: string; readonly isAgain?: boolean | undefined; readonly isBehind?: boolean | undefined }
        | undefined;
    }
  /** The attempt failed; `delayMs` is the backoff if another may follow. */
  | {
      readonly type: 'fail';
      readonly at: number;
      readonly run: number;
      readonly retryable: boolean;
      readonly delayMs: number;
    }
  /** The backend reports progress and so extends its time to call back. */
  | { readonly type: 'progress'; readonly at: number; readonly run: number }
  /** The callback did not come in time. */
  | { readonly type: 'overdue'; readonly at: number; readonly delayMs: number }
  /** The deadline may have passed. */
  | { readonly type: 'expire'; readonly at: number }
  /** The attempts of its service are used up: another one takes the task, with fresh attempts. */
  | { readonly type: 'fall-back'; readonly at: number; readonly run: number }
  | { readonly type: 'cancel'; readonly at: number }
  /** A person wants a failed or expired task run again, with fresh attempts. */
  | { readonly type: 'retry'; readonly at: number; readonly deadlineAt: number };

const EVENTS: Readonly<Record<TaskEvent['type'], true>> = {
  claim: true,
  succeed: true,
  accept: true,
  defer: true,
  fail: true,
  progress: true,
  overdue: true,
  expire: true,
  'fall-back': true,
  cancel: true,
  retry: true,
};
export const EVENT_TYPES = Object.keys(EVENTS) as readonly TaskEvent['type'][];

export type RefusalCode =
  /** The task has ended. */
  | 'terminal'
  /** Another run holds the task. */
  | 'leased'
  /** Its time has not come. */
  | 'early'
  /** It waits for its callback. */
  | 'awaiting-callback'
  /** The event belongs to an older run, or to a run that has ended. */
  | 'stale'
  /** The event does not apply to this state. */
  | 'not-applicable';

export type Transition =
  | { readonly ok: true; readonly next: TaskState }
  | { readonly ok: false; readonly code: RefusalCode };

export function transition(state: TaskState, event: TaskEvent): Transition {
  switch (event.type) {
    case 'claim':
      return claim(state, event.at, event.leaseMs);
    case 'succeed':
      if (isTerminal(state.status)) return refuse('terminal');
      if (event.run > state.run || event.run < 1) return refuse('stale');
      return to({ ...counters(state), status: 'succeeded', finishedAt: event.at });
    case 'accept': {
      const stale = staleness(state, event.run, ['running']);
      if (stale !== undefined) return refuse(stale);
      const { at, callbackTimeoutMs } = event;
      return to({
        ...counters(state),
        status: 'waiting',
        callbackTimeoutMs,
        callbackUntil: Math.min(at + callbackTimeoutMs, state.deadlineAt),
      });
    }
    case 'defer': {
      const stale = staleness(state, event.run, ['running']);
      if (stale !== undefined) return refuse(stale);
      return defer(state, event);
    }
    case 'fail': {
      const stale = staleness(state, event.run, ['running', 'waiting']);
      if (stale !== undefined) return refuse(stale);
      return failAttempt(state, event.at, event.retryable, event.delayMs);
    }
    case 'fall-back': {
      const stale = staleness(state, event.run, ['running', 'waiting']);
      if (stale !== undefined) return refuse(stale);
      return to({ ...counters(state), status: 'queued', attemptsOffset: state.run - state.deferrals });
    }
    case 'progress': {
      const stale = staleness(state, event.run, ['waiting']);
      if (stale !== undefined) return refuse(stale);
      const waiting = state as StateOf<'waiting'>;
      const callbackUntil = Math.min(event.at + waiting.callbackTimeoutMs, state.deadlineAt);
      return to({ ...waiting, callbackUntil });
    }
    case 'overdue':
      if (state.status !== 'waiting') return refuse(isTerminal(state.status) ? 'terminal' : 'not-applicable');
      if (state.callbackUntil > event.at) return refuse('early');
      return failAttempt(state, event.at, true, event.delayMs);
    case 'expire':
      if (isTerminal(state.status)) return refuse('terminal');
      // The lease is looked at before the deadline: a live call may still succeed (rule R2).
      if (state.status === 'running' && state.leaseUntil > event.at) return refuse('leased');
      if (state.deadlineAt > event.at) return refuse('early');
      return to({ ...counters(state), status: 'expired', finishedAt: event.at });
    case 'cancel':
      if (isTerminal(state.status)) return refuse('terminal');
      return to({ ...counters(state), status: 'cancelled', finishedAt: event.at });
    case 'retry':
      if (!RETRYABLE_STATUSES.includes(state.status)) return refuse('not-applicable');
      return to({
        ...counters(state),
        status: 'queued',
        attemptsOffset: state.run - state.deferrals,
        deadlineAt: event.deadlineAt,
      });
  }
}

function claim(state: TaskState, at: number, leaseMs: number): Transition {
  const facts = openFacts(state.status);
  if (facts === undefined) return refuse('terminal');
  if (facts.refusesClaim !== undefined) return refuse(facts.refusesClaim);
  if ('leaseUntil' in state && state.leaseUntil > at) return refuse('leased');
  // Past its deadline nothing is early: the task ends now rather than at its next time.
  if ('nextAt' in state && state.nextAt > at && state.deadlineAt > at) return refuse('early');
  if (state.deadlineAt <= at) return to({ ...counters(state), status: 'expired', finishedAt: at });
  if (attemptsUsed(state) >= state.policy.maxAttempts) {
    return to({ ...counters(state), status: 'failed', finishedAt: at });
  }
  return to({ ...counters(state), run: state.run + 1, status: 'running', leaseUntil: at + leaseMs });
}

function defer(state: TaskState, event: Extract<TaskEvent, { type: 'defer' }>): Transition {
  const { at, delayMs, reason, park } = event;
  const free = state.deferrals < MAX_FREE_DEFERRALS;
  if (!free && attemptsUsed(state) >= state.policy.maxAttempts) {
    return to({ ...counters(state), status: 'failed', finishedAt: at });
  }
  return to({
    ...counters(state),
    deferrals: free ? state.deferrals + 1 : state.deferrals,
    status: 'deferred',
    reason,
    nextAt: Math.min(at + delayMs, state.deadlineAt),
    parkedFor: park?.line,
  });
}

function failAttempt(state: TaskState, at: number, retryable: boolean, delayMs: number): Transition {
  if (!retryable || attemptsUsed(state) >= state.policy.maxAttempts) {
    return to({ ...counters(state), status: 'failed', finishedAt: at });
  }
  return to({ ...counters(state), status: 'retrying', nextAt: Math.min(at + delayMs, state.deadlineAt) });
}

function staleness(state: TaskState, run: number, statuses: readonly TaskState['status'][]): RefusalCode | undefined {
  if (isTerminal(state.status)) return 'terminal';
  return run === state.run && statuses.includes(state.status) ? undefined : 'stale';
}

function counters({ run, deferrals, attemptsOffset, policy, deadlineAt }: Counters): Counters {
  return { run, deferrals, attemptsOffset, policy, deadlineAt };
}

function to(next: TaskState): Transition {
  return { ok: true, next };
}

function refuse(code: RefusalCode): Transition {
  return { ok: false, code };
}
