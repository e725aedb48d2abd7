/** What one call said of the server that it was made to, for the registry. Pure. */
import type { CallReport } from '../../shared/registry/routing.ts';
import type { Outcome } from '../call/outcome.ts';

export interface ServerUse {
  readonly outcome: CallReport['outcome'];
  /** Unix ms: when a busy server may be called again, where it said so. */
  readonly busyUntil?: number;
}

/**
 * @param wasCalled false when the call was not made at all
 * @param hasKey a rate limit is then the key's
 */
export function serverUseOf(outcome: Outcome, wasCalled: boolean, hasKey: boolean, now: number): ServerUse {
  if (!wasCalled) return { outcome: 'unused' };
  switch (outcome.kind) {
    case 'succeeded':
    case 'accepted':
      return { outcome: 'answered' };
    case 'deferred':
      if (outcome.reason === 'backend-busy' || (outcome.reason === 'rate-limited' && !hasKey)) {
        const { retryAfterMs } = outcome;
        return { outcome: 'busy', ...(retryAfterMs !== undefined && { busyUntil: now + retryAfterMs }) };
      }
      return { outcome: 'answered' };
    case 'retryable':
      // 408 and 425 are about the request.
      return { outcome: isServersFault(outcome.error.httpStatus) ? 'failed' : 'answered' };
    case 'permanent':
      // A task that was cancelled meanwhile says nothing of its server.
      if (outcome.error.class === 'network') return { outcome: 'unused' };
      return { outcome: (outcome.error.httpStatus ?? 200) >= 500 ? 'failed' : 'answered' };
  }
}

function isServersFault(httpStatus: number | undefined): boolean {
  return httpStatus === undefined || httpStatus >= 500;
}

/** A busy server's pause is its own: where there are others, the task looks for one of them at once. */
export function withOtherServers(outcome: Outcome, { outcome: use }: ServerUse, servers: number): Outcome {
  return outcome.kind === 'deferred' && use === 'busy' && servers > 1
    ? { ...outcome, retryAfterMs: undefined }
    : outcome;
}
