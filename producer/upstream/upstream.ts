/**
 * Asking the database or another Worker: an answer, or the word that there is none. What went wrong
 * goes to the log; the caller decides what the client is told.
 */
import { logError } from '../../shared/log.ts';

export const UNAVAILABLE = Symbol('unavailable');

export async function callUpstream<Answer>(
  what: string,
  ask: () => Promise<Answer>,
): Promise<Answer | typeof UNAVAILABLE> {
  try {
    return await ask();
  } catch (error) {
    logError('upstream.failed', { what }, error);
    return UNAVAILABLE;
  }
}
