/**
 * How long a message may live and how often it may be delivered before it must be replaced by a
 * fresh copy (rules R7 and R16).
 */
import { doublingDelayMs } from '../task/backoff.ts';

/** The platform drops or dead-letters a message after 100 deliveries; ten are kept in reserve. */
const MAX_DELIVERIES = 90;

/** Half of the shortest retention that Tasklane deploys: 4 days. */
const MAX_AGE_MS = 2 * 86_400_000;

/** @param attempts deliveries so far, from 1 */
export function needsFreshCopy(attempts: number, ageMs: number): boolean {
  return attempts >= MAX_DELIVERIES || ageMs >= MAX_AGE_MS;
}

/** The pause before the next delivery while the database does not answer: 2 s, doubling to 10 minutes. */
export function deliveryDelayMs(attempts: number): number {
  return doublingDelayMs(2_000, attempts - 1, 600_000);
}
