/**
 * One synchronous call: takes a place and a key, calls the backend, and passes its answer on as it
 * comes. Until the first byte of an answer a call goes to another server when one cannot be reached or
 * is busy, and to another key when one is limited or refused; what a backend has answered otherwise is
 * the client's.
 *
 * Guarantee: place and key are released whatever happens: when the answer has passed, broken off or
 * fallen silent, and when the client has gone.
 */
import { logError } from '../../shared/log.ts';
import type { ServiceDefinition } from '../../shared/service/definition.ts';
import { findService } from '../../shared/service/refresh.ts';
import type { Declined, SyncCall } from '../../shared/sync/call.ts';
import { DECLINED_HEADER } from '../../shared/sync/call.ts';
import { headersToClient } from '../../shared/sync/forwarded-headers.ts';
import { isUnpackedOnReading, opaquePackingOf, unsaidPackingOf } from '../../shared/sync/packing.ts';
import { bucketOfRequest } from '../capacity/pool-of.ts';
import type { Redactor } from '../keys/secrets/redaction.ts';
import { redactedStream } from '../keys/secrets/redaction-stream.ts';
import type { Acquired } from './acquired.ts';
import { tell } from './call-record.ts';
import { Capacity } from './capacity.ts';
import { type ClassifiedResponse, classifyResponse } from './classify-response.ts';
import { forward, type Sent } from './forward.ts';
import { IdleTimeout } from './idle-timeout.ts';
import { type BodyEnd, observedStream } from './observed-stream.ts';
import { type Outbound, outboundOf } from './outbound.ts';
import type { SyncEnv } from './sync-env.ts';

/** Servers that answer "busy", and keys, that one call may try. */
const MAX_TRIES = 3;

/** How the call of a server that was busy, or with a key that was limited, is logged. */
const TRIED_ANOTHER = 'tried-another';

/** A stream that goes on for so long has shown that its server works, whenever it ends. */
const ONGOING_MS = 2_000;

/** Statuses whose answers have no body (RFC 9110). */
const BODILESS = new Set([204, 205, 304]);

/** @param inBackground work that outlives the answer: the platform keeps the invocation for it */
export async function proxy(
  env: SyncEnv,
  request: Request,
  call: SyncCall,
  inBackground: (work: Promise<unknown>) => void,
): Promise<Response> {
  // At least as new as the one that the producer went by.
  const service = await findService(
    env,
    call.service,
    (definition) => definition !== undefined && env.known.version >= call.servicesVersion,
  );
  if (service === undefined)
    return declinedResponse({ why: 'misconfigured', detail: 'The service is not known here.' });
  const outbound = await outboundOf(request, call);
  return new ProxiedCall(env, service, call, outbound, inBackground).run(request.signal);
}

type Answered = Extract<Sent, { kind: 'answered' }>;

class ProxiedCall {
  readonly #env: SyncEnv;
  readonly #service: ServiceDefinition;
  readonly #call: SyncCall;
  readonly #outbound: Outbound;
  readonly #inBackground: (work: Promise<unknown>) => void;
  readonly #startedAt = Date.now();
  #tries = 0;
  /** What a busy server said, or a limited key was told: the client's, when there is no other. */
  #refusal: Response | undefined;

  constructor(
    env: SyncEnv,
    service: ServiceDefinition,
    call: SyncCall,
    outbound: Outbound,
    inBackground: (work: Promise<unknown>) => void,
  ) {
    this.#env = env;
    this.#service = service;
    this.#call = call;
    this.#outbound = outbound;
    this.#inBackground = inBackground;
  }

  async run(client: AbortSignal): Promise<Response> {
    const timeoutMs = this.#service.timeoutSeconds * 1000;
    const { headers, body } = this.#outbound;
    const json = body instanceof ArrayBuffer ? body : undefined;
    const bucket = bucketOfRequest(this.#env, this.#call.service, { headers, json });
    const capacity = new Capacity(this.#env, this.#call, bucket);
    for (;;) {
      const taken = await capacity.take(timeoutMs);
      if (taken.kind === 'declined') return this.#declineWithAnswer(taken.declined) ?? this.#decline(taken.declined);
      const { value: acquired } = taken;
      this.#inBackground(acquired.released);
      this.#tries += 1;
      const idle = new IdleTimeout(timeoutMs, client);
      const response = await this.#attempt(acquired, idle);
      if (response !== undefined) return response;
    }
  }

  /** @returns undefined when another server or key is to be tried */
  async #attempt(acquired: Acquired, idle: IdleTimeout): Promise<Response | undefined> {
    try {
      const sent = await forward(this.#env, this.#service, this.#outbound, acquired, idle);
      if (sent.kind !== 'answered') return this.#fail(sent, acquired, idle);
      const answer = await classifyResponse(sent.response, acquired, Date.now());
      if (answer.isForAnother && this.#outbound.isRepeatable && this.#tries < MAX_TRIES) {
        idle[Symbol.dispose]();
        // Before the next is asked for, so that it is not this one again.
        await acquired.release(answer.report);
        this.#log(acquired, TRIED_ANOTHER, answer.status);
        this.#refusal ??= this.#refusalOf(answer, sent, acquired);
        return undefined;
      }
      return this.#passOn(answer, sent, acquired, idle);
    } catch (error) {
      logError('call.broken', { id: this.#call.id, service: this.#call.service }, error);
      const detail = 'Its answer broke off before it could be passed on';
      return this.#fail({ kind: 'failed', why: idle.isTooLong ? 'timeout' : 'unreachable', detail }, acquired, idle);
    }
  }

  #fail(sent: Exclude<Sent, { kind: 'answered' }>, acquired: Acquired, idle: IdleTimeout): Response {
    idle[Symbol.dispose]();
    const isUnused = sent.kind === 'failed' && sent.why === 'misconfigured';
    const isUnsent = sent.kind === 'failed' && sent.isUnsent === true;
    const outcome = isUnused || sent.kind === 'abandoned' ? 'unused' : isUnsent ? 'unreachable' : 'failed';
    this.#inBackground(acquired.release({ outcome, feedback: { kind: isUnused || isUnsent ? 'unused' : 'unknown' } }));
    // Nobody hears the answer to a call that was abandoned.
    if (sent.kind === 'abandoned') return this.#decline({ why: 'timeout' }, acquired);
    return this.#decline({ why: sent.why, detail: sent.detail }, acquired);
  }

  #passOn(answer: ClassifiedResponse, sent: Answered, acquired: Acquired, idle: IdleTimeout): Response {
    const { status, body } = answer;
    const secrets = this.#secretsOf(acquired);
    const isBodiless = BODILESS.has(status) || this.#outbound.method === 'HEAD';
    const unreadable = whyUnreadable(answer, isBodiless, secrets);
    if (unreadable !== undefined) {
      if ('stream' in body) this.#inBackground(body.stream.cancel().catch(() => {}));
      return this.#fail({ kind: 'failed', why: 'unreadable', detail: unreadable }, acquired, idle);
    }
    const headers = this.#headersOf(answer, sent, acquired, secrets);
    if (isBodiless || 'whole' in body) {
      // It may have been broken off while the answer was looked at.
      this.#end(idle.signal.aborted ? brokenOff(idle) : 'complete', answer, acquired, idle);
      const bytes = isBodiless || !('whole' in body) ? null : secrets.bytes(body.whole);
      return new Response(bytes, { status, headers });
    }
    const onEnd = this.#whenOver(answer, acquired, idle);
    const clean = redactedStream(body.stream, secrets, answer.headers.get('content-type'));
    return new Response(observedStream(clean, { onPiece: () => idle.restart(), onEnd }), { status, headers });
  }

  #secretsOf({ key }: Acquired): Redactor {
    return this.#env.redactor({
      service: this.#call.service,
      definition: this.#service,
      ...(key !== undefined && { key }),
    });
  }

  #headersOf(answer: ClassifiedResponse, { from }: Answered, { place }: Acquired, secrets: Redactor): Headers {
    const asked = { ...from, service: this.#call.service, publicUrl: this.#env.publicUrl };
    const headers = headersToClient(answer.headers, (text) => secrets.text(text), asked);
    // Of an answer to HEAD the length is all that there is of the body; packed, it would be another one's.
    const length = answer.headers.get('content-length');
    if (this.#outbound.method === 'HEAD' && isLength(length) && !isUnpackedOnReading(answer.headers)) {
      headers.set('content-length', length);
    }
    if (place.server !== undefined) headers.set('tasklane-server', place.server.id);
    return headers;
  }

  #refusalOf(answer: ClassifiedResponse, sent: Answered, acquired: Acquired): Response | undefined {
    const { status, report, body } = answer;
    const secrets = this.#secretsOf(acquired);
    const isAboutTime = (status === 429 && report.feedback.kind === 'limited') || report.outcome === 'busy';
    if (!isAboutTime || !('whole' in body) || packingOf(answer) !== undefined) return undefined;
    const headers = this.#headersOf(answer, sent, acquired, secrets);
    return new Response(secrets.bytes(body.whole), { status, headers });
  }

  /** Nothing else is free: what the last backend said goes along. */
  #declineWithAnswer(declined: Declined): Response | undefined {
    const refusal = this.#refusal;
    if (refusal === undefined) return undefined;
    const { status, headers } = refusal;
    if (!headers.has('retry-after') && declined.until !== undefined) {
      headers.set('retry-after', String(Math.max(1, Math.ceil((declined.until - Date.now()) / 1000))));
    }
    headers.set(DECLINED_HEADER, JSON.stringify({ ...declined, hasAnswer: true }));
    this.#log(undefined, declined.why, status);
    return refusal;
  }

  /** @returns to be called when the answer has ended */
  #whenOver(answer: ClassifiedResponse, acquired: Acquired, idle: IdleTimeout): (end: BodyEnd) => void {
    const { outcome } = answer.report;
    const startedAt = Date.now();
    const ongoing = setTimeout(() => {
      const durationMs = Date.now() - startedAt;
      this.#inBackground(acquired.place.report({ outcome, durationMs, isOngoing: true }));
    }, ONGOING_MS);
    const over = (end: BodyEnd) => {
      clearTimeout(ongoing);
      idle.signal.removeEventListener('abort', breakOff);
      this.#end(end, answer, acquired, idle);
    };
    // Nothing may be reading when the call is broken off: a client that stopped to read would hold place and key.
    const breakOff = () => over(brokenOff(idle));
    // It may have been while the answer was looked at.
    if (idle.signal.aborted) breakOff();
    else idle.signal.addEventListener('abort', breakOff);
    return (end) => {
      if (!idle.signal.aborted) over(end);
    };
  }

  #end(end: BodyEnd, { status, report }: ClassifiedResponse, acquired: Acquired, idle: IdleTimeout): void {
    idle[Symbol.dispose]();
    this.#log(acquired, end, status);
    const outcome = end === 'complete' ? report.outcome : end === 'broken' ? 'failed' : 'unused';
    this.#inBackground(acquired.release({ ...report, outcome }));
  }

  #decline(declined: Declined, acquired?: Acquired): Response {
    this.#log(acquired, declined.why);
    return declinedResponse(declined);
  }

  /** @param outcome how the answer ended, or why there was none */
  #log(acquired: Acquired | undefined, outcome: string, httpStatus?: number): void {
    const record = {
      id: this.#call.id,
      service: this.#call.service,
      shard: this.#env.shard,
      server: acquired?.place.server?.id,
      key: acquired?.key?.number,
      outcome,
      httpStatus,
      tries: this.#tries,
      startedAt: this.#startedAt,
      durationMs: Date.now() - this.#startedAt,
      traceId: this.#outbound.traceId,
    };
    this.#inBackground(tell(this.#env, this.#outbound, record, outcome !== TRIED_ANOTHER));
  }
}

function brokenOff({ isTooLong }: IdleTimeout): BodyEnd {
  return isTooLong ? 'broken' : 'abandoned';
}

/** Of a body that there is not nothing else would notice one that no client takes. */
function isLength(text: string | null): text is string {
  return text !== null && /^\d{1,15}$/.test(text);
}

function packingOf({ headers, body }: ClassifiedResponse): string | undefined {
  return (
    opaquePackingOf(headers) ?? ('whole' in body ? unsaidPackingOf(headers.get('content-type'), body.whole) : undefined)
  );
}

/** @returns why the answer cannot be passed on, for people; undefined when it can */
function whyUnreadable(answer: ClassifiedResponse, isBodiless: boolean, secrets: Redactor): string | undefined {
  const { status } = answer;
  if (status < 200 || status > 599) return `The backend answered with the status ${status}, which is none of HTTP`;
  const packing = secrets.isEmpty || isBodiless ? undefined : packingOf(answer);
  if (packing === undefined) return undefined;
  const said = JSON.stringify(secrets.text(packing).slice(0, 60));
  return `The backend's answer is packed as ${said}, which cannot be looked through for secrets`;
}

/** Not the backend's answer: the producer says it in its own words. */
function declinedResponse(declined: Declined): Response {
  return new Response(null, { status: 503, headers: { [DECLINED_HEADER]: JSON.stringify(declined) } });
}
