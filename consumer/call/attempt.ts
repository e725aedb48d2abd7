/**
 * One attempt: calls the backend within its time-out and says what came of it. Never throws; an
 * attempt that cannot be made is a deferral.
 */

import { needsServer, type ServiceDefinition } from '../../shared/service/definition.ts';
import { shorten } from '../../shared/task/attempt.ts';
import { MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { taskCreatedAt } from '../../shared/task/id.ts';
import { afterUse, serverUseOf, type UsedBy } from '../capacity/server-use.ts';
import type { KeyFeedback, LimitFacts } from '../keys/pool/feedback.ts';
import { observeKey } from '../keys/provider/key-feedback.ts';
import { callRedaction } from '../keys/secrets/callback-token.ts';
import { type Redact, redactContent } from '../keys/secrets/redaction.ts';
import { meaningOf } from './answer/answer-rules.ts';
import { keepResult } from './answer/large-result.ts';
import {
  type Answer,
  countedInTheEnd,
  type Outcome,
  outcomeOfAnswer,
  outcomeWithKey,
  TOO_LATE,
} from './answer/outcome.ts';
import { type ReadBody, readBody } from './answer/response-body.ts';
import type { Attempted, Call } from './call.ts';
import type { AttemptEnv } from './call-env.ts';
import { callTimeoutMs } from './lease.ts';
import { messageTarget, observeReceiver } from './message.ts';
import { wasRefused } from './request/connection-check.ts';
import { withQuickRetries } from './request/quick-retry.ts';
import { PayloadMissingError } from './request/stored-payload.ts';
import { type Target, targetOf } from './request/target.ts';
import type { Timeouts } from './timeouts.ts';

/** Configuration is mended by a deploy; looking sooner does not help. */
const MISCONFIGURED_RETRY_MS = 60_000;
const UNKNOWN_SERVICE_RETRY_MS = 1_000;

const SERVICE_DELETED: Outcome = {
  kind: 'permanent',
  error: { class: 'service-deleted', message: 'The service was deleted while the task waited.' },
};

/** Reason of an abort when the task was cancelled. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError';
}

/** @param abort aborted with a `CancelledError` when the task is cancelled meanwhile */
export async function attempt(
  env: AttemptEnv,
  call: Call,
  abort: AbortController,
  timeouts: Timeouts,
): Promise<Attempted> {
  const startedAt = Date.now();
  let httpStatus: number | undefined;
  const ended = (
    outcome: Outcome,
    target?: Target,
    observed?: { feedback: KeyFeedback; facts?: LimitFacts },
  ): Attempted => {
    const endedAt = Date.now();
    const use = serverUseOf(outcome, target !== undefined, call.key !== undefined, endedAt);
    return {
      outcome: afterUse(outcome, use, usedBy(call, service)),
      startedAt,
      endedAt,
      server: target?.failover.current?.id,
      isRegistered: call.servers !== undefined,
      use,
      httpStatus,
      unreachableServers: target?.failover.unreachableServers,
      traceId: target?.traceId,
      spanId: target?.spanId,
      key: call.key && { ...call.key, ...(observed ?? unobserved(target)) },
    };
  };

  const service = call.definition ?? env.services[call.service];
  if (service === undefined) {
    const deletedAt = env.known.deletedAt(call.service);
    // It was in the queue meanwhile, and so not among those that ended with their service.
    if (deletedAt !== undefined && taskCreatedAt(call.id) <= deletedAt) return ended(SERVICE_DELETED);
    // Put a moment ago, it is known at the next look; definitions are asked for once a second.
    const lookAgainMs = Math.min(MISCONFIGURED_RETRY_MS, UNKNOWN_SERVICE_RETRY_MS * 2 ** call.state.deferrals);
    return ended(misconfigured(`The service ${call.service} is not configured on this consumer.`, lookAgainMs));
  }
  // Defined otherwise since the batch asked for servers: it asks again.
  if (needsServer(service) && call.servers === undefined) {
    return ended({ kind: 'deferred', reason: 'no-server', retryAfterMs: undefined });
  }
  const timeoutSeconds = Math.min(service.timeoutSeconds, call.request.timeoutSeconds ?? service.timeoutSeconds);
  const timeoutMs = callTimeoutMs(timeoutSeconds * 1000, call.state, startedAt);
  if (timeoutMs === undefined) return ended(TOO_LATE);

  const message = call.request.webhook;
  const resolved =
    message === undefined
      ? targetOf(env, service, call, abort.signal)
      : await messageTarget(env, call, message, abort.signal);
  if (!resolved.ok) return ended(misconfigured(resolved.problem));
  const { target } = resolved;

  const redact = callRedaction(env.redactor(call), call.callbackToken);
  timeouts.start(abort, timeoutMs);
  try {
    const response =
      service.binding === undefined && target.mayBeRepeated
        ? await withQuickRetries(target.call, abort.signal)
        : await target.call();
    httpStatus = response.status;
    if (message !== undefined) return ended(await observeReceiver(env, call, response), target);
    const read = await readBody(response, env.bodies !== undefined);
    const answer = cleanAnswer(response, read, redact);
    const now = Date.now();
    const meaning = meaningOf([...(call.request.answers ?? []), ...service.answers], answer);
    const observed =
      call.key && (meaning === 'key' ? { feedback: keyAtFault(answer.status) } : observeKey(answer, now));
    const said =
      observed === undefined
        ? outcomeOfAnswer(answer, now, meaning)
        : outcomeWithKey(answer, observed.feedback, now, meaning);
    const outcome = countedInTheEnd(said, call.state.deferrals);
    if (read.kind !== 'large' || env.bodies === undefined) return ended(outcome, target, observed);
    if (outcome.kind === 'succeeded') {
      return ended(await keepResult(env, env.bodies, call, read, abort.signal), target, observed);
    }
    await read.stream.cancel();
    return ended(outcome, target, observed);
  } catch (error) {
    if (error instanceof PayloadMissingError) return ended(PAYLOAD_MISSING, target);
    const outcome = outcomeOfError(error, abort.signal, timeoutMs, redact);
    if (abort.signal.aborted || message !== undefined) return ended(outcome, target);
    const address = call.servers?.find(({ id }) => id === target.failover.current?.id)?.baseUrl ?? service.baseUrl;
    const isUnreachable = await wasRefused(env, error, Date.now() - startedAt, address);
    return ended(isUnreachable ? unreachable(outcome) : outcome, target);
  } finally {
    timeouts.over(abort);
  }
}

function usedBy({ service: name, servers, state, key }: Call, service: ServiceDefinition | undefined): UsedBy {
  const isLimitedAsService = service !== undefined && !needsServer(service) && key === undefined;
  return { service: name, servers: servers?.length ?? 1, deferrals: state.deferrals, isLimitedAsService };
}

const PAYLOAD_MISSING: Outcome = {
  kind: 'permanent',
  error: { class: 'payload-missing', message: 'The payload is not in the bucket any more.' },
};

function keyAtFault(httpStatus: number): KeyFeedback {
  return { kind: 'refused', httpStatus, about: 'key' };
}

/** Nobody is there: the attempt is not consumed. */
function unreachable(outcome: Outcome): Outcome {
  const error = outcome.kind === 'retryable' ? { error: outcome.error } : {};
  return { kind: 'deferred', reason: 'unreachable', retryAfterMs: undefined, ...error };
}

/** What is known of a key without an answer: a call that was made may have counted. */
function unobserved(target: Target | undefined): { feedback: KeyFeedback } {
  return { feedback: { kind: target === undefined ? 'unused' : 'unknown' } };
}

function misconfigured(message: string, retryAfterMs = MISCONFIGURED_RETRY_MS): Outcome {
  return {
    kind: 'deferred',
    reason: 'misconfigured',
    retryAfterMs,
    error: { class: 'network', message },
  };
}

function cleanAnswer({ status, headers }: Response, read: ReadBody, redact: Redact): Answer {
  const said = status >= 300 && status < 400 ? headers.get('location') : null;
  const answer = { status, headers, ...(said !== null && { location: redact(said) }) };
  if (read.kind === 'opaque') {
    const packing = JSON.stringify(shorten(redact(read.packing), MAX_PACKING_CHARS));
    const why = `The backend's answer is packed as ${packing}, which cannot be looked through for secrets that were sent; it has to be gzip, br, or not packed.`;
    return { ...answer, body: undefined, lacking: { class: 'result-unreadable', why } };
  }
  const body = read.content && redactContent(read.content, redact);
  if (read.kind !== 'cut' || read.why === 'broken') return { ...answer, body };
  const why = `The backend's answer is larger than ${MAX_INLINE_BYTES} bytes, the most that is kept without a bucket (r2_buckets in wrangler.toml).`;
  return { ...answer, body, lacking: { class: 'result-too-large', why } };
}

const MAX_PACKING_CHARS = 60;

function outcomeOfError(error: unknown, signal: AbortSignal, timeoutMs: number, redact: Redact): Outcome {
  if (signal.aborted && signal.reason instanceof CancelledError) {
    return { kind: 'permanent', error: { class: 'network', message: 'The task was cancelled while it ran.' } };
  }
  if (signal.aborted) {
    const message = `The backend did not answer within ${timeoutMs / 1000} s.`;
    return { kind: 'retryable', error: { class: 'timeout', message }, retryAfterMs: undefined };
  }
  const message = shorten(
    redact(`The connection to the backend failed: ${error instanceof Error ? error.message : String(error)}`),
  );
  return { kind: 'retryable', error: { class: 'network', message }, retryAfterMs: undefined };
}
