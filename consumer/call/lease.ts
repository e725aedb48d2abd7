/**
 * How long a run may hold its task. A lease covers the call's time-out, the quick retries and the
 * time to record the outcome; a call that could not end inside its lease is not started (rule R14).
 */

/** Quick retries are over within a second (`quick-retry.ts`). */
const QUICK_RETRIES_MS = 1_000;

/** For queueing inside the batch before the call and for settling after it, retries included. */
const SLACK_MS = 30_000;

export function leaseMs(timeoutMs: number): number {
  return timeoutMs + QUICK_RETRIES_MS + SLACK_MS;
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
  if (now + timeoutMs + QUICK_RETRIES_MS > state.leaseUntil || now >= state.deadlineAt) return undefined;
  return Math.min(timeoutMs, state.deadlineAt - now);
}
