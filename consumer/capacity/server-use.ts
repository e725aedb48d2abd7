/** What one call said of the server that it was made to, for the registry. Pure. */
import { serviceLine } from '../../shared/capacity/line.ts';
import type { CallReport } from '../../shared/registry/routing.ts';
import type { Outcome } from '../call/outcome.ts';

export interface ServerUse {
  readonly outcome: CallReport['outcome'];
  /** Unix ms: when a busy server may be called again, where it said so. */
  readonly busyUntil?: number;
  /** Why nobody was reached. */
  readonly detail?: string;
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
      if (outcome.reason === 'unreachable') {
        return { outcome: 'unreachable', ...(outcome.error !== undefined && { detail: outcome.error.message }) };
      }
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

/** What a task does whose server, or address, could not take it. @param servers that the call could have had */
export function afterUse(outcome: Outcome, { outcome: use }: ServerUse, service: string, servers: number): Outcome {
  if (outcome.kind !== 'deferred') return outcome;
  // The registry knows when somebody is there again.
  if (use === 'unreachable') return { ...outcome, placedBy: 'registry', park: { line: serviceLine(service) } };
  // A busy server's pause is its own: where there are others, the task looks for one of them at once.
  return use === 'busy' && servers > 1 ? { ...outcome, retryAfterMs: undefined } : outcome;
}
