/**
 * What becomes of a message, read from the row of its task (rule R2: the row decides, messages are
 * only wake-ups). A message is acked only when its row is terminal or has a `due_at` under which the
 * sweeper will find it (rule R1).
 */
import { wholeSeconds } from './backoff.ts';
import type { TaskState } from './state.ts';
import { openFacts } from './status.ts';

export type Disposition = { readonly kind: 'ack' } | { readonly kind: 'retry'; readonly delayMs: number };

/** One for all: an answer about many tasks holds it once. */
export const ACK: Disposition = { kind: 'ack' };

/** 12 hours: the longest delay that every generation of Cloudflare Queues accepts. */
export const MAX_QUEUE_DELAY_MS = 12 * 3600_000;

/**
 * Of a row that wakes its task sooner the message stays: a claim that was asked before, and whose answer did not come, may
 * land until then and take the task for nobody. Twice as long as one may be on its way (`shared/awaited.ts`), because clocks
 * differ.
 */
export const LATE_CLAIM_MS = 20_000;

/**
 * @param dueAt the row's `due_at`, when it has one
 */
export function dispositionOf(state: TaskState, dueAt: number | undefined, now: number): Disposition {
  const facts = openFacts(state.status);
  if (facts === undefined) return ACK;
  // Parked, waiting for its callback, or sent again by the sweeper: its row wakes it (rule R20).
  const isSoon = 'nextAt' in state && state.nextAt <= now + LATE_CLAIM_MS;
  if (facts.wokenBy === 'row' && dueAt !== undefined && !isSoon) return ACK;
  if ('leaseUntil' in state) return retryAt(state.leaseUntil, now);
  return retryAt('nextAt' in state ? state.nextAt : now, now);
}

/** A retry at `at`: at least a second away, so that a wrong clock cannot spin. */
function retryAt(at: number, now: number): Disposition {
  const delayMs = Math.min(MAX_QUEUE_DELAY_MS, Math.max(1000, wholeSeconds(at - now)));
  return { kind: 'retry', delayMs };
}
