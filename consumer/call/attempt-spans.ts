/**
 * One span for each call that an attempt made, pushed once a batch where traces have an endpoint. A span's parent
 * is the one in which its task was submitted; its own id is what the backend got in `traceparent`. What the
 * trace's beginner did not sample is not told. Nothing of a request or an answer but its status is among it.
 */

import type { OtlpEndpoint } from '../../shared/otlp/endpoint.ts';
import { pushOtlp } from '../../shared/otlp/send.ts';
import { encodeSpans, type Span } from '../../shared/otlp/span.ts';
import { taskCreatedAt } from '../../shared/task/id.ts';
import { attemptNumber } from '../../shared/task/state.ts';
import { isSampled, readTraceParent } from '../../shared/trace/context.ts';
import type { Attempted, Call } from './call.ts';

export class AttemptSpans {
  readonly #endpoint: OtlpEndpoint;
  readonly #shard: string;
  readonly #spans: Span[] = [];

  constructor(endpoint: OtlpEndpoint, shard: string) {
    this.#endpoint = endpoint;
    this.#shard = shard;
  }

  note(call: Call, attempted: Attempted): void {
    const span = spanOf(this.#shard, call, attempted);
    if (span !== undefined) this.#spans.push(span);
  }

  /** Never rejects. */
  async push(): Promise<void> {
    if (this.#spans.length > 0) await pushOtlp(this.#endpoint, 'traces', encodeSpans('consumer', this.#spans));
  }
}

/** Undefined: no call was made, or its trace is not sampled. */
function spanOf(shard: string, call: Call, attempted: Attempted): Span | undefined {
  const { outcome, startedAt, endedAt, server, traceId, spanId, httpStatus, key } = attempted;
  if (traceId === undefined || spanId === undefined) return undefined;
  const { traceparent, tracestate } = call.request;
  const parent = readTraceParent(traceparent);
  if (!isSampled(parent)) return undefined;
  const error = 'error' in outcome ? outcome.error : undefined;
  return {
    traceId,
    spanId,
    parentId: parent?.parentId,
    state: tracestate,
    name: `attempt ${call.service}`,
    kind: 'client',
    startedAt,
    endedAt,
    attributes: {
      'tasklane.task.id': call.id,
      'tasklane.service': call.service,
      'tasklane.run': call.state.run,
      'tasklane.attempt': attemptNumber(call.state),
      'tasklane.outcome': outcome.kind,
      'tasklane.reason': outcome.kind === 'deferred' ? outcome.reason : undefined,
      'tasklane.shard': shard,
      'tasklane.key': key === undefined ? undefined : `${key.pool}/${key.number}`,
      'tasklane.since_accepted_ms': startedAt - taskCreatedAt(call.id),
      'server.address': server,
      'http.response.status_code': httpStatus,
      'error.type': error?.class,
    },
    error: error?.class,
  };
}
