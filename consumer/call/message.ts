/**
 * The delivery of a message about the end of a task or a group: the request that a client's receiver gets, signed anew at
 * every attempt, and what its answer means. A receiver is no backend: it gets no callback token, what it answers is not
 * kept, and whether it is there is not the registry's matter. Unless it takes the message, or says that it never will, the
 * message is tried again for days.
 */
import { logError } from '../../shared/log.ts';
import type { ServicePause } from '../../shared/registry/rpc.ts';
import { isOwnAddress, OWN_ADDRESS_PROBLEM } from '../../shared/service/own-address.ts';
import { refreshServices } from '../../shared/service/refresh.ts';
import { HOPS_HEADER } from '../../shared/sync/call.ts';
import type { TaskRequest } from '../../shared/task/request.ts';
import { wireBody } from '../../shared/webhook/event.ts';
import { signedHeaders } from '../../shared/webhook/signature.ts';
import { Failover } from '../capacity/failover.ts';
import type { Outcome } from './answer/outcome.ts';
import { retryAfterMs } from './answer/retry-after.ts';
import type { Call } from './call.ts';
import type { MessageEnv } from './call-env.ts';
import { type TargetResult, traceOf } from './request/target.ts';

type Message = NonNullable<TaskRequest['webhook']>;

export async function messageTarget(
  env: MessageEnv,
  { id, request }: Call,
  { url, owner, format }: Message,
  signal: AbortSignal,
): Promise<TargetResult> {
  if (isOwnAddress(url, env.publicUrl)) return { ok: false, problem: `The receiver ${OWN_ADDRESS_PROBLEM}.` };
  const { contentType, text } = wireBody(format, request.body?.text ?? '{}', id, env.publicUrl);
  const trace = traceOf(request, id);
  const init: RequestInit = {
    method: 'POST',
    headers: {
      'content-type': contentType,
      'user-agent': 'Tasklane',
      [HOPS_HEADER]: String((request.hops ?? 0) + 1),
      ...trace.headers,
      ...(await signedHeaders(env.webhookSecrets, owner, { id, at: Date.now(), body: text })),
    },
    redirect: 'manual',
    signal,
    body: text,
  };
  return {
    ok: true,
    target: {
      failover: new Failover([{ id: new URL(url).host, baseUrl: url }]),
      traceId: trace.traceId,
      spanId: trace.spanId,
      // A receiver knows a repeat by its `webhook-id`.
      mayBeRepeated: true,
      call: () => env.outbound(url, init),
    },
  };
}

/** What a receiver says with the header `webhook-delivery`: no more of this message, or of any. */
const NEVER_THIS = 'abort-message';
const NEVER_ANY = 'disable';

/** The address is gone for good (RFC 9110 section 15.5.11). */
const GONE = 410;

/** Reads nothing of the answer but its head; a hook that wants no more messages is paused. */
export async function observeReceiver(
  env: MessageEnv,
  { service, request }: Call,
  response: Response,
): Promise<Outcome> {
  const { status, headers } = response;
  await response.body?.cancel().catch(() => undefined);
  const said = headers.get('webhook-delivery')?.trim().toLowerCase();
  if (said === NEVER_ANY || status === GONE) {
    const reason =
      said === NEVER_ANY ? `the receiver answered webhook-delivery: ${NEVER_ANY}` : `the receiver answered ${GONE}`;
    await pauseHook(env, service, { reason, owner: request.webhook?.owner });
  }
  if (status >= 200 && status < 300) return { kind: 'succeeded', result: undefined };
  const error = { class: 'http' as const, httpStatus: status, message: `The receiver answered ${status}.` };
  if (said === NEVER_ANY || said === NEVER_THIS || status === GONE) return { kind: 'permanent', error };
  return { kind: 'retryable', error, retryAfterMs: retryAfterMs(headers.get('retry-after'), Date.now()) };
}

/** Should it fail, the next message to the same address hears the same and tries again. */
async function pauseHook({ registry, known }: MessageEnv, service: string, pause: ServicePause): Promise<void> {
  try {
    await registry.setPaused(service, pause);
    // Other consumers learn it within seconds.
    await refreshServices(known, registry, { changed: true });
  } catch (error) {
    logError('webhook.not-paused', { service, reason: pause.reason }, error);
  }
}
