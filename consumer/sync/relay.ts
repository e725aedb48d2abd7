/**
 * One synchronous call: takes a place and a key, calls the backend, and passes its answer on as it
 * comes. Until the first byte of an answer a call goes to another server when one cannot be reached or
 * is busy, and to another key when one is limited or refused; what a backend has answered otherwise is
 * the client's. Place and key are given back when the answer has passed, or when the client has gone.
 */
import type { ServiceDefinition } from '../../shared/service/definition.ts';
import { refreshServices } from '../../shared/service/refresh.ts';
import type { Declined, SyncCall } from '../../shared/sync/call.ts';
import { DECLINED_HEADER } from '../../shared/sync/call.ts';
import { headersToClient } from '../../shared/sync/forwarded-headers.ts';
import type { ConsumerEnv } from '../env.ts';
import { redactionStream } from '../keys/redaction-stream.ts';
import { Capacity, type Held } from './capacity.ts';
import { type HeardAnswer, heardAnswer } from './heard-answer.ts';
import { type Outbound, outboundOf } from './outbound.ts';
import { logRelayed, type RelayFacts } from './relay-log.ts';
import { sendOut } from './send-out.ts';
import { type BodyEnd, watchedBody } from './watched-body.ts';

/** Servers that answer "busy", and keys, that one call may try. */
const MAX_TRIES = 3;

/** Statuses whose answers have no body (RFC 9110). */
const BODILESS = new Set([101, 204, 205, 304]);

/** @param inBackground work that outlives the answer: the platform keeps the invocation for it */
export async function relay(
  env: ConsumerEnv,
  request: Request,
  call: SyncCall,
  inBackground: (work: Promise<unknown>) => void,
): Promise<Response> {
  const service = await definitionOf(env, call);
  if (service === undefined)
    return declinedResponse({ why: 'misconfigured', detail: 'The service is not known here.' });
  const outbound = await outboundOf(request);
  return new Relay(env, service, call, outbound, inBackground).run(request.signal);
}

/** Definitions are not asked for more often than once a second: soon after a change a call waits for its turn. */
const LOOK_AGAIN_MS = 100;
const MAX_LOOKS = 15;

/** The definition of a service, at least as new as the one that the producer went by. */
async function definitionOf(
  { known, registry }: ConsumerEnv,
  { service, servicesVersion }: SyncCall,
): Promise<ServiceDefinition | undefined> {
  for (let look = 0; look < MAX_LOOKS; look++) {
    const urgent = known.version < servicesVersion || known.find(service) === undefined;
    if (!urgent && !known.shouldRead(Date.now())) break;
    if (look > 0) await scheduler.wait(LOOK_AGAIN_MS);
    await refreshServices(known, (version) => registry.readServices(version), { urgent });
  }
  return known.find(service);
}

class Relay {
  readonly #env: ConsumerEnv;
  readonly #service: ServiceDefinition;
  readonly #call: SyncCall;
  readonly #outbound: Outbound;
  readonly #inBackground: (work: Promise<unknown>) => void;
  readonly #startedAt = Date.now();
  #tries = 0;

  constructor(
    env: ConsumerEnv,
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
    const capacity = new Capacity(this.#env, this.#call);
    for (;;) {
      const taken = await capacity.take(this.#service.timeoutSeconds * 1000);
      if (taken.is === 'declined') return this.#decline(taken.declined);
      const { held } = taken;
      this.#tries += 1;
      const sent = await sendOut(this.#env, this.#service, this.#outbound, held, client);
      if (sent.is === 'abandoned') {
        this.#inBackground(held.giveBack({ outcome: 'unused', verdict: { kind: 'unknown' } }));
        this.#log(held, { outcome: 'abandoned' });
        return declinedResponse({ why: 'timeout' });
      }
      if (sent.is === 'failed') {
        const isUnused = sent.why === 'misconfigured';
        const outcome = isUnused ? 'unused' : 'failed';
        this.#inBackground(held.giveBack({ outcome, verdict: { kind: isUnused ? 'unused' : 'unknown' } }));
        return this.#decline({ why: sent.why, detail: sent.detail }, held);
      }
      const answer = await heardAnswer(sent.response, held, Date.now());
      if (!answer.isForAnother || !this.#outbound.isRepeatable || this.#tries >= MAX_TRIES) {
        return this.#passOn(answer, held);
      }
      // Before the next is asked for, so that it is not this one again.
      await held.giveBack(answer.report);
      this.#log(held, { outcome: 'tried-another', httpStatus: answer.status });
    }
  }

  #passOn(answer: HeardAnswer, held: Held): Response {
    const { status, report } = answer;
    const redact = this.#env.redaction({
      service: this.#call.service,
      ...(held.key !== undefined && { key: held.key }),
    });
    const headers = headersToClient(answer.headers, redact);
    if (held.place.server !== undefined) headers.set('tasklane-server', held.place.server.id);
    const forms = this.#env.secretForms({
      service: this.#call.service,
      ...(held.key !== undefined && { key: held.key }),
    });
    const over = Promise.withResolvers<BodyEnd>();
    this.#inBackground(
      over.promise.then(async (end) => {
        this.#log(held, { outcome: end, httpStatus: status });
        const outcome = end === 'complete' ? report.outcome : end === 'broken' ? 'failed' : 'unused';
        await held.giveBack({ ...report, outcome });
      }),
    );
    if (BODILESS.has(status)) {
      over.resolve('complete');
      return new Response(null, { status, headers });
    }
    const whole = 'whole' in answer.body ? new Blob([answer.body.whole]).stream() : answer.body.stream;
    const clean = forms.length === 0 ? whole : whole.pipeThrough(redactionStream(forms));
    return new Response(watchedBody(clean, over.resolve), { status, headers });
  }

  #decline(declined: Declined, held?: Held): Response {
    this.#log(held, { outcome: declined.why });
    return declinedResponse(declined);
  }

  #log(held: Held | undefined, facts: Pick<RelayFacts, 'outcome' | 'httpStatus'>): void {
    logRelayed({
      ...facts,
      id: this.#call.id,
      service: this.#call.service,
      shard: this.#env.shard,
      server: held?.place.server?.id,
      key: held?.key?.number,
      tries: this.#tries,
      startedAt: this.#startedAt,
      traceId: this.#outbound.traceId,
    });
  }
}

/** Not the backend's answer: the producer says it in its own words. */
function declinedResponse(declined: Declined): Response {
  return new Response(null, { status: 503, headers: { [DECLINED_HEADER]: JSON.stringify(declined) } });
}
