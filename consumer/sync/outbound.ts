/**
 * The client's request as it goes out to a backend: read once, so that it can be sent to another
 * server or with another key. A body larger than what is held goes out as it comes, once.
 */
import { toHex } from '../../shared/crypto/hex.ts';
import { MAX_HELD_BYTES } from '../../shared/sync/call.ts';
import { headersToBackend } from '../../shared/sync/forwarded-headers.ts';

export interface Outbound {
  readonly method: string;
  /** Below the service, with the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ArrayBuffer | ReadableStream<Uint8Array> | undefined;
  /** False: the body can be sent once only. */
  readonly isRepeatable: boolean;
  readonly traceId: string;
}

/** @param id of the call: what makes a repeat recognisable, unless the client says so itself */
export async function outboundOf(request: Request, id: string): Promise<Outbound> {
  const { pathname, search } = new URL(request.url);
  const length = Number(request.headers.get('content-length') ?? Number.NaN);
  const held = request.body === null || length <= MAX_HELD_BYTES;
  const bytes = held && request.body !== null ? await request.arrayBuffer() : undefined;
  const headers = headersToBackend(request.headers);
  const traceId = /^00-([0-9a-f]{32})-/.exec(headers.traceparent ?? '')?.[1] ?? randomHex(16);
  return {
    method: request.method,
    path: pathname + search,
    headers: { 'idempotency-key': id, ...headers, traceparent: `00-${traceId}-${randomHex(8)}-01` },
    body: held ? bytes : (request.body ?? undefined),
    isRepeatable: held,
    traceId,
  };
}

function randomHex(bytes: number): string {
  return toHex(crypto.getRandomValues(new Uint8Array(bytes)));
}
