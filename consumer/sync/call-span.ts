/**
 * The span of a synchronous call: one for all its tries, below whatever its client was doing, with the id that the
 * backend got in `traceparent`. Nothing of the request or the answer but its status is among it.
 */
import { pushOtlp } from '../../shared/otlp/send.ts';
import { encodeSpans } from '../../shared/otlp/span.ts';
import { isSampled } from '../../shared/trace/context.ts';
import type { Outbound } from './outbound.ts';
import type { ProxyFacts } from './proxy-log.ts';
import type { SyncEnv } from './sync-env.ts';

const COMPLETE = 'complete';
const SERVER_ERRORS = 500;

/** Never rejects. */
export async function pushCallSpan(
  { otlp }: Pick<SyncEnv, 'otlp'>,
  { parent, traceId, spanId, headers }: Outbound,
  { id, service, shard, server, key, outcome, httpStatus, tries, startedAt }: ProxyFacts,
): Promise<void> {
  if (otlp === undefined || tries === 0 || !isSampled(parent)) return;
  const isError = outcome !== COMPLETE || (httpStatus ?? 0) >= SERVER_ERRORS;
  const span = {
    traceId,
    spanId,
    parentId: parent?.parentId,
    state: parent === undefined ? undefined : headers.tracestate,
    name: `call ${service}`,
    kind: 'client' as const,
    startedAt,
    endedAt: Date.now(),
    attributes: {
      'tasklane.call.id': id,
      'tasklane.service': service,
      'tasklane.outcome': outcome,
      'tasklane.tries': tries,
      'tasklane.shard': shard,
      'tasklane.key': key,
      'server.address': server,
      'http.response.status_code': httpStatus,
    },
    error: isError ? outcome : undefined,
  };
  await pushOtlp(otlp, 'traces', encodeSpans('consumer', [span]));
}
