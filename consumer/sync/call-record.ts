/**
 * What is told of a synchronous call, once its answer is on its way: one log event for each of its tries, with fixed fields, and one span for all of
 * them, below whatever its client was doing, with the id that the backend got in `traceparent`. Never a header, body or
 * secret; of the answer the status alone.
 */
import { logInfo } from '../../shared/log.ts';
import { pushOtlp } from '../../shared/otlp/send.ts';
import { encodeSpans } from '../../shared/otlp/span.ts';
import { isSampled } from '../../shared/trace/context.ts';
import type { Outbound } from './outbound.ts';
import type { SyncEnv } from './sync-env.ts';

export interface CallRecord {
  readonly id: string;
  readonly service: string;
  readonly shard: string;
  readonly server: string | undefined;
  readonly key: number | undefined;
  /** How the answer ended, or why there was none. */
  readonly outcome: string;
  readonly httpStatus?: number | undefined;
  readonly tries: number;
  /** Unix ms. */
  readonly startedAt: number;
  readonly durationMs: number;
  readonly traceId: string;
}

const COMPLETE = 'complete';
const SERVER_ERRORS = 500;

/**
 * Never rejects. An event that is written by itself takes the processor for as long as a fifth of the call.
 * @param isLast no other try follows
 */
export async function tell(env: Pick<SyncEnv, 'otlp'>, outbound: Outbound, record: CallRecord, isLast: boolean) {
  await new Promise((resolve) => setTimeout(resolve, 0));
  logInfo('call.forwarded', { ...record, startedAt: new Date(record.startedAt).toISOString() });
  if (isLast) await pushCallSpan(env, outbound, record);
}

async function pushCallSpan(
  { otlp }: Pick<SyncEnv, 'otlp'>,
  { parent, traceId, spanId, headers }: Outbound,
  { id, service, shard, server, key, outcome, httpStatus, tries, startedAt, durationMs }: CallRecord,
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
    endedAt: startedAt + durationMs,
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
