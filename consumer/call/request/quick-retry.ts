/**
 * Retries inside one attempt, for requests that may be repeated (`repeat.ts`) and most likely reached
 * nobody: the connection was refused or broke at once. At most two, under a second in all; everything
 * slower goes through the queue.
 */
import pRetry, { AbortError } from 'p-retry';

const MAX_RETRIES = 2;
const FIRST_PAUSE_MS = 50;
/** A connection that lasted longer than this has probably reached somebody. */
const UNREACHABLE_WITHIN_MS = 250;

/** The runtime marks errors of connections that gave no answer. */
export function isUnreachable(error: unknown, elapsedMs: number): boolean {
  return (
    error instanceof Error && 'retryable' in error && error.retryable === true && elapsedMs < UNREACHABLE_WITHIN_MS
  );
}

export async function withQuickRetries<Value>(call: () => Promise<Value>, signal: AbortSignal): Promise<Value> {
  // Nearly every call succeeds at once: the machinery of retrying is set up only for those that do not.
  const startedAt = Date.now();
  try {
    return await call();
  } catch (error) {
    if (!isUnreachable(error, Date.now() - startedAt)) throw error;
  }
  const once = async () => {
    const startedAt = Date.now();
    try {
      return await call();
    } catch (error) {
      if (isUnreachable(error, Date.now() - startedAt)) throw error;
      throw new AbortError(error instanceof Error ? error : new Error(String(error)));
    }
  };
  await scheduler.wait(FIRST_PAUSE_MS, { signal });
  return pRetry(once, { retries: MAX_RETRIES - 1, minTimeout: 3 * FIRST_PAUSE_MS, signal });
}
