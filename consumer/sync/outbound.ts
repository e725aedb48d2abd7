/**
 * The client's request as it goes out to a backend: read once, so that it can be sent to another
 * server or with another key. A body larger than what is kept goes out as it comes, once.
 */
import { HOPS_HEADER, MAX_HELD_BYTES, SYNC_ORIGIN, type SyncCall } from '../../shared/sync/call.ts';
import { headersToBackend } from '../../shared/sync/forwarded-headers.ts';
import { newSpanId, readTraceParent, type TraceContext, traceParent } from '../../shared/trace/context.ts';

export interface Outbound {
  readonly method: string;
  /** Below the service, with the query: as the client wrote it. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ArrayBuffer | ReadableStream<Uint8Array> | undefined;
  /** False: the body can be sent once only. */
  readonly isRepeatable: boolean;
  readonly traceId: string;
  /** Of the call itself, as the backend gets it. */
  readonly spanId: string;
  /** What the client said of the trace that its request belongs to. */
  readonly parent: TraceContext | undefined;
}

/** The id of the call makes a repeat recognisable, unless the client says so itself. */
export async function outboundOf(request: Request, { id, hops }: SyncCall): Promise<Outbound> {
  const length = Number(request.headers.get('content-length') ?? Number.NaN);
  const isSmall = length <= MAX_HELD_BYTES;
  const isRepeatable = isSmall || request.body === null;
  // To ask for the stream of a body costs as much as to read a small one.
  const isHeld = isSmall && (length > 0 || request.body !== null);
  const body = isHeld ? await request.arrayBuffer() : (request.body ?? undefined);
  const headers = headersToBackend(request.headers);
  const parent = readTraceParent(headers.traceparent);
  // The trace of a call whose client is in none.
  const traceId = parent?.traceId ?? id.replaceAll('-', '');
  const spanId = newSpanId();
  return {
    method: request.method,
    path: request.url.slice(SYNC_ORIGIN.length),
    headers: {
      'idempotency-key': id,
      ...headers,
      traceparent: traceParent(traceId, spanId, parent?.flags),
      [HOPS_HEADER]: String(hops + 1),
    },
    body,
    isRepeatable,
    traceId,
    spanId,
    parent,
  };
}
