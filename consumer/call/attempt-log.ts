/**
 * The one log event of an attempt: structured, with fixed fields, and never a header, body or secret.
 * Events are kept until outcomes are told and are then written one after the other: a write by
 * itself wakes whoever reads the log, which cost 40 µs of the local runtime's processor; right after
 * another it costs 7.
 */

import { isoTime } from '../../shared/iso-time.ts';
import { logInfo } from '../../shared/log.ts';
import { attemptNumber } from '../../shared/task/state.ts';
import type { Outcome } from './answer/outcome.ts';
import type { Attempted, Call } from './call.ts';

export class AttemptLog {
  readonly #shard: string;
  #unwritten: [Call, Attempted][] = [];

  constructor(shard: string) {
    this.#shard = shard;
  }

  note(call: Call, attempted: Attempted): void {
    this.#unwritten.push([call, attempted]);
  }

  write(): void {
    const events = this.#unwritten;
    this.#unwritten = [];
    for (const [call, attempted] of events) logInfo('task.attempted', eventOf(this.#shard, call, attempted));
  }
}

function eventOf(shard: string, call: Call, attempted: Attempted) {
  const { outcome, startedAt, endedAt, server, traceId } = attempted;
  const error = errorOf(outcome);
  return {
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
    startedAt: isoTime(startedAt),
    durationMs: endedAt - startedAt,
    traceId,
  };
}

function errorOf(outcome: Outcome) {
  return 'error' in outcome ? outcome.error : undefined;
}
