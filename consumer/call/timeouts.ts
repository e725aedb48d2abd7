/** The time-out of one call. */

export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/**
 * Aborts the call with a `TimeoutError` in `ms`.
 * @returns to be called when the call is over
 */
export function startTimeout(abort: AbortController, ms: number): () => void {
  const timer = setTimeout(() => abort.abort(new TimeoutError()), ms);
  return () => clearTimeout(timer);
}
