/**
 * How long a run may hold its task. A lease covers the wait for a turn, the call's time-out, the quick
 * retries and the time to record the outcome; a call that could not end inside its lease is not started
 * (rule R14).
 */

/** Quick retries are over within a second (`quick-retry.ts`). */
const QUICK_RETRIES_MS = 1_000;

/** For waiting inside the batch before the call and for settling after it, retries included. */
const SLACK_MS = 30_000;

/** A batch is ended by the platform after 15 minutes of wall time (Queues limits). */
const MAX_LEASE_MS = 14.5 * 60_000;

/**
 * @param timeoutMs of the call
 * @param queueMs the longest that it may wait for its turn, see `queueingMs`
 */
export function leaseMs(timeoutMs: number, queueMs = 0): number {
  const alone = Math.ceil(timeoutMs) + QUICK_RETRIES_MS + SLACK_MS;
  return Math.max(alone, Math.min(alone + Math.ceil(queueMs), MAX_LEASE_MS));
}

/**
 * The longest that any of these calls waits for its turn: when all the others take until their time-outs,
 * some turn is free after an even share of them.
 */
export function queueingMs(timeoutsMs: readonly number[], atOnce: number): number {
  if (timeoutsMs.length <= atOnce) return 0;
  return timeoutsMs.reduce((sum, timeoutMs) => sum + timeoutMs, 0) / atOnce;
}

/** A call that starts later could outlast its lease, Unix ms. */
export function latestStart(timeoutMs: number, { leaseUntil }: { readonly leaseUntil: number }): number {
  return leaseUntil - timeoutMs - QUICK_RETRIES_MS;
}

/**
 * The time-out of a call that starts now, capped by the deadline (rule R4), or undefined when the
 * call could outlast the lease or its deadline has passed since the claim.
 */
export function callTimeoutMs(
  timeoutMs: number,
  state: { readonly leaseUntil: number; readonly deadlineAt: number },
  now: number,
): number | undefined {
  if (now > latestStart(timeoutMs, state) || now >= state.deadlineAt) return undefined;
  return Math.min(timeoutMs, state.deadlineAt - now);
}
