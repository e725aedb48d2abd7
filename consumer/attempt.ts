/**
 * One attempt: calls the backend within its time-out and says what came of it. Never throws; an
 * attempt that cannot be made is a deferral.
 */

import { shorten } from '../shared/task/attempt.ts';
import { MAX_INLINE_BYTES } from '../shared/task/content.ts';
import type { Attempted, Call } from './call.ts';
import type { ConsumerEnv } from './env.ts';
import { callTimeoutMs } from './lease.ts';
import { type Outcome, outcomeOfAnswer } from './outcome.ts';
import { withQuickRetries } from './quick-retry.ts';
import { readBody } from './response-body.ts';
import { type Target, targetOf } from './target.ts';

/** Configuration is mended by a deploy; looking sooner does not help. */
const MISCONFIGURED_RETRY_MS = 60_000;

class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/** Reason of an abort when the task was cancelled. */
export class CancelledError extends Error {
  override readonly name = 'CancelledError';
}

/** @param abort aborted with a `CancelledError` when the task is cancelled meanwhile */
export async function attempt(
  env: ConsumerEnv,
  call: Call,
  abort: AbortController,
): Promise<Attempted & { traceId?: string }> {
  const startedAt = Date.now();
  const ended = (outcome: Outcome, target?: Target) => ({
    outcome,
    startedAt,
    endedAt: Date.now(),
    server: target?.server,
    ...(target !== undefined && { traceId: target.traceId }),
  });

  const service = env.services[call.service];
  if (service === undefined) {
    return ended(misconfigured(`The service ${call.service} is not configured on this consumer.`));
  }
  const timeoutMs = callTimeoutMs(service.timeoutSeconds * 1000, call.state, startedAt);
  if (timeoutMs === undefined) return ended({ kind: 'deferred', reason: 'cut-short', retryAfterMs: undefined });

  const resolved = targetOf(env, service, call, abort.signal);
  if (!resolved.ok) return ended(misconfigured(resolved.problem));
  const { target } = resolved;

  const timer = setTimeout(() => abort.abort(new TimeoutError()), timeoutMs);
  try {
    const response =
      service.binding === undefined ? await withQuickRetries(target.call, abort.signal) : await target.call();
    const body = await readBody(response);
    if (!body.ok) return ended(tooLarge(response.status), target);
    return ended(
      outcomeOfAnswer({ status: response.status, headers: response.headers, body: body.body }, Date.now()),
      target,
    );
  } catch (error) {
    return ended(outcomeOfError(error, abort.signal, timeoutMs), target);
  } finally {
    clearTimeout(timer);
  }
}

function misconfigured(message: string): Outcome {
  return {
    kind: 'deferred',
    reason: 'misconfigured',
    retryAfterMs: MISCONFIGURED_RETRY_MS,
    error: { class: 'network', message },
  };
}

function tooLarge(status: number): Outcome {
  const message = `The backend's answer is larger than ${MAX_INLINE_BYTES} bytes, the most that is stored with a task.`;
  return { kind: 'permanent', error: { class: 'result-too-large', httpStatus: status, message } };
}

function outcomeOfError(error: unknown, signal: AbortSignal, timeoutMs: number): Outcome {
  if (signal.aborted && signal.reason instanceof CancelledError) {
    return { kind: 'permanent', error: { class: 'network', message: 'The task was cancelled while it ran.' } };
  }
  if (signal.aborted) {
    const message = `The backend did not answer within ${timeoutMs / 1000} s.`;
    return { kind: 'retryable', error: { class: 'timeout', message }, retryAfterMs: undefined };
  }
  const message = shorten(
    `The connection to the backend failed: ${error instanceof Error ? error.message : String(error)}`,
  );
  return { kind: 'retryable', error: { class: 'network', message }, retryAfterMs: undefined };
}
