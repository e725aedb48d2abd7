/** What one call said of the server that it was made to, for the registry. Pure. */
import { serviceLine } from '../../shared/capacity/line.ts';
import { type CallReport, MAX_BUSY_MS } from '../../shared/registry/routing.ts';
import type { Outcome } from '../call/answer/outcome.ts';

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

/** What becomes of a task depends on these. */
export interface UsedBy {
  readonly service: string;
  /** That the call could have had. */
  readonly servers: number;
  /** Of the task, before this one. */
  readonly deferrals: number;
  /** Its address is fixed and it uses no pool's keys: its limits are the service's own, and kept by the registry. */
  readonly isLimitedAsService: boolean;
}

/**
 * So often a task that is refused goes back to its service's line. Then it returns by itself, at growing intervals (rule
 * R18): one that its backend always refuses holds up nobody.
 */
const MAX_REFUSALS_IN_LINE = 3;

/** At the head of the line it would try the service again for all that stand behind: a few of them do so first. */
const MAX_REFUSALS_AT_HEAD = 1;

/** What a task does whose server, or address, could not take it. */
export function afterUse(outcome: Outcome, { outcome: use }: ServerUse, by: UsedBy): Outcome {
  if (outcome.kind !== 'deferred') return outcome;
  const line = serviceLine(by.service);
  // The registry knows when somebody is there again.
  if (use === 'unreachable') return { ...outcome, placedBy: 'registry', park: { line } };
  if (use !== 'busy') return outcome;
  if (isForLine(outcome, by)) return { ...outcome, park: { line, isBehind: by.deferrals >= MAX_REFUSALS_AT_HEAD } };
  // A busy server's pause is its own: where there are others, the task looks for one of them at once.
  return by.servers > 1 ? { ...outcome, retryAfterMs: undefined } : outcome;
}

/** What is told of a longer time than the registry keeps everybody away for is this task's to keep. */
function isForLine(
  { error, retryAfterMs = 0 }: Extract<Outcome, { kind: 'deferred' }>,
  { deferrals, isLimitedAsService }: UsedBy,
): boolean {
  const isAboutRoom = error?.httpStatus === 429 || error?.httpStatus === 503;
  return isLimitedAsService && isAboutRoom && retryAfterMs <= MAX_BUSY_MS && deferrals < MAX_REFUSALS_IN_LINE;
}
