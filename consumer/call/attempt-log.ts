/** The one log event of an attempt: structured, with fixed fields, and never a header, body or secret. */
import { logInfo } from '../../shared/log.ts';
import { attemptNumber } from '../../shared/task/state.ts';
import type { Outcome } from './answer/outcome.ts';
import type { Attempted, Call } from './call.ts';

export function logAttempt(shard: string, call: Call, attempted: Attempted): void {
  const { outcome, startedAt, endedAt, server, traceId } = attempted;
  const error = errorOf(outcome);
  logInfo('task.attempted', {
    id: call.id,
    service: call.service,
    run: call.state.run,
    attempt: attemptNumber(call.state),
    shard,
    server,
    key: call.key?.number,
    outcome: outcome.kind,
    reason: outcome.kind === 'deferred' ? outcome.reason : undefined,
    httpStatus: error?.httpStatus,
    errorClass: error?.class,
    startedAt: new Date(startedAt).toISOString(),
    durationMs: endedAt - startedAt,
    traceId,
  });
}

function errorOf(outcome: Outcome) {
  return 'error' in outcome ? outcome.error : undefined;
}
