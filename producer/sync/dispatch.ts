/**
 * Hands a synchronous call to a consumer: one that holds keys for the service, chosen at random, and
 * the next when it has none free. What is about servers is the same on every shard, so it is not asked
 * twice.
 */
import { shardsForService } from '../../shared/key/shards.ts';
import { logError } from '../../shared/log.ts';
import {
  CALL_HEADER,
  DECLINED_HEADER,
  type Declined,
  DeclinedSchema,
  SYNC_ORIGIN,
  type SyncCall,
} from '../../shared/sync/call.ts';
import type { Runtime } from '../runtime.ts';

export interface CallRequest {
  readonly method: string;
  /** Below the service, with the query. */
  readonly path: string;
  /** Without the client's token. */
  readonly headers: Headers;
  readonly body: ArrayBuffer | ReadableStream<Uint8Array> | null;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export type Dispatched =
  | { readonly kind: 'answered'; readonly response: Response }
  /** `answer`: of a backend that is busy, or to a key that is limited. */
  | { readonly kind: 'declined'; readonly declined: Declined; readonly answer?: Response | undefined };

export async function dispatchCall(runtime: Runtime, call: SyncCall, request: CallRequest): Promise<Dispatched> {
  const consumers = shuffled(consumersFor(runtime, call.service));
  let declined: Declined = { why: 'misconfigured', detail: 'No consumer is bound for synchronous calls.' };
  let answer: Response | undefined;
  for (const { shard, entrypoint } of consumers) {
    const dispatched = await tryConsumer(shard, entrypoint, call, request);
    if (dispatched.kind === 'answered') return dispatched;
    declined = sooner(declined, dispatched.declined);
    answer ??= dispatched.answer;
    const isOfShard = dispatched.declined.why === 'no-key' || dispatched.declined.why === 'key-refused';
    // A body that streams has been read by now.
    if (!isOfShard || request.body instanceof ReadableStream) return dispatched;
  }
  return { kind: 'declined', declined, answer };
}

async function tryConsumer(
  shard: number,
  entrypoint: Fetcher,
  call: SyncCall,
  request: CallRequest,
): Promise<Dispatched> {
  const headers = new Headers(request.headers);
  headers.set(CALL_HEADER, JSON.stringify(call));
  if (request.body instanceof ArrayBuffer) headers.set('content-length', String(request.body.byteLength));
  try {
    const { method, body, signal } = request;
    const response = await entrypoint.fetch(SYNC_ORIGIN + request.path, {
      method,
      headers,
      redirect: 'manual',
      signal,
      ...(body !== null && { body }),
    });
    const declined = response.headers.get(DECLINED_HEADER);
    if (declined === null) return { kind: 'answered', response };
    const said = DeclinedSchema.parse(JSON.parse(declined));
    return { kind: 'declined', declined: said, ...(said.hasAnswer === true && { answer: await kept(response) }) };
  } catch (error) {
    if (!request.signal.aborted) logError('consumer.failed', { shard, service: call.service }, error);
    return { kind: 'declined', declined: { why: 'unreachable', detail: 'The consumer that holds the keys failed.' } };
  }
}

/** Read to its end, so that another shard may be asked meanwhile; it is short. */
async function kept(response: Response): Promise<Response> {
  const headers = new Headers(response.headers);
  headers.delete(DECLINED_HEADER);
  return new Response(await response.arrayBuffer(), { status: response.status, headers });
}

function consumersFor({ config, services }: Runtime, service: string): Runtime['config']['syncConsumers'] {
  const shards = shardsForService(services.all, config.keyShards, service);
  const holding = config.syncConsumers.filter(({ shard }) => shards?.includes(shard));
  return holding.length > 0 ? holding : config.syncConsumers;
}

function shuffled<Value>(values: readonly Value[]): Value[] {
  return values
    .map((value) => ({ value, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ value }) => value);
}

/** Of two shards without a free key, the one that has one sooner says when to come again. */
function sooner(known: Declined, next: Declined): Declined {
  if (known.until === undefined) return next;
  return next.until !== undefined && next.until < known.until ? next : known;
}
