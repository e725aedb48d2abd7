/**
 * What a backend's answer means: the outcome table of the design. Pure.
 */
import { isUnreachableStatus, isUnsentByProxy, wasNotDelivered } from '../../../shared/service/unreachable.ts';
import type { AnswerRule } from '../../../shared/task/answer-rule.ts';
import { shorten, type TaskError } from '../../../shared/task/attempt.ts';
import type { Content } from '../../../shared/task/content.ts';
import type { DeferralReason } from '../../../shared/task/state.ts';
import type { StoredBody } from '../../../shared/task/stored-body.ts';
import { isAboutKey, type KeyFeedback } from '../../keys/pool/feedback.ts';
import { statedWaitMs } from '../../keys/provider/reset-time.ts';
import { edgeMeaning } from './edge-status.ts';

export type Outcome =
  | {
      readonly kind: 'succeeded';
      readonly result: Content | undefined;
      /** Instead of `result`: where it lies, when it is too large for a row. */
      readonly stored?: StoredBody;
    }
  /** The backend works on and will call back. */
  | { readonly kind: 'accepted' }
  /** No capacity; the attempt is not consumed. */
  | {
      readonly kind: 'deferred';
      readonly reason: DeferralReason;
      readonly retryAfterMs: number | undefined;
      /** Who kept a moment for this task: the delay is kept to, nothing is added. */
      readonly placedBy?: 'key-pool' | 'registry';
      /** It stands in this line, whose owner wakes it; the delay is the least that the fallback waits (rule R20). */
      readonly park?: {
        readonly line: string;
        /** When it was released from there: a few go before it. */
        readonly isBehind?: boolean;
        /** The shard whose part of the line moves no sooner than after the delay. */
        readonly shard?: string;
      };
      readonly error?: TaskError;
    }
  /** The attempt failed; another may help. */
  | { readonly kind: 'retryable'; readonly error: TaskError; readonly retryAfterMs: number | undefined }
  /** Another attempt would fail the same way. */
  | { readonly kind: 'permanent'; readonly error: TaskError };

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Undefined when there is none, or none that can be read. */
  readonly body: Content | undefined;
  /** Where a redirect leads. */
  readonly location?: string;
  /** Why there is no more of the body, or none at all: `… is larger than …`. */
  readonly lacking?: { readonly class: 'result-too-large' | 'result-unreadable'; readonly why: string } | undefined;
}

/** @param meaning what a rule of the service or the task says; `key` without a key is a failure like any other */
export function outcomeOfAnswer(answer: Answer, now: number, meaning?: AnswerRule['meaning']): Outcome {
  return meaning === undefined ? usualOutcome(answer, now) : outcomeByRule(answer, now, meaning);
}

function outcomeByRule(answer: Answer, now: number, meaning: AnswerRule['meaning']): Outcome {
  const { status, body, lacking } = answer;
  const error = httpError(answer);
  const after = statedWaitMs(answer, now);
  switch (meaning) {
    case 'succeed':
      if (lacking === undefined) return { kind: 'succeeded', result: body };
      return { kind: 'permanent', error: { class: lacking.class, httpStatus: status, message: lacking.why } };
    case 'retry':
      return { kind: 'retryable', error, retryAfterMs: after };
    case 'defer':
      return { kind: 'deferred', reason: 'backend-busy', retryAfterMs: after, error };
    case 'fail':
    case 'key':
      return { kind: 'permanent', error };
  }
}

/** Of receivers of webhooks that will take no more of this message, or of any. */
const REFUSED_DELIVERY = /^(?:disable|abort-message)$/i;

function usualOutcome(answer: Answer, now: number): Outcome {
  const { status, headers, body, lacking } = answer;
  if (status === 202) return { kind: 'accepted' };
  if (status >= 200 && status < 300) {
    if (lacking === undefined) return { kind: 'succeeded', result: body };
    // The work is done, and would come to the same again.
    return { kind: 'permanent', error: { class: lacking.class, httpStatus: status, message: lacking.why } };
  }

  const error = httpError(answer);
  const after = statedWaitMs(answer, now);
  const shouldRetry = headers.get('x-should-retry');
  const isRefused = REFUSED_DELIVERY.test(headers.get('webhook-delivery')?.trim() ?? '');
  if (shouldRetry === 'false' || isRefused) return { kind: 'permanent', error };
  if (status === 429) return { kind: 'deferred', reason: 'rate-limited', retryAfterMs: after, error };
  if (isUnreachableStatus(status) || isUnsentByProxy(status, headers.get('proxy-status')))
    return { kind: 'deferred', reason: 'unreachable', retryAfterMs: after, error };
  if (status === 503 && after !== undefined)
    return { kind: 'deferred', reason: 'backend-busy', retryAfterMs: after, error };
  if (shouldRetry === 'true' || status === 408 || status === 425 || status >= 500) {
    return { kind: 'retryable', error, retryAfterMs: after };
  }
  return { kind: 'permanent', error };
}

/** At a look every five seconds: five minutes. */
const MAX_UNSURE_DEFERRALS = 60;

/**
 * An answer that may be what this very task does to its backend (520 of one that crashes over it) holds up the others of
 * its service, which wait until somebody is reached: after minutes of it, it is an attempt that failed.
 */
export function countedInTheEnd(outcome: Outcome, deferrals: number): Outcome {
  if (outcome.kind !== 'deferred' || outcome.reason !== 'unreachable' || outcome.error === undefined) return outcome;
  const { error, retryAfterMs } = outcome;
  const isUnsure = isUnreachableStatus(error.httpStatus ?? 0) && !wasNotDelivered(error.httpStatus ?? 0);
  return isUnsure && deferrals >= MAX_UNSURE_DEFERRALS ? { kind: 'retryable', error, retryAfterMs } : outcome;
}

/** Until the pool has placed the task; counts only when it cannot be asked. */
const UNPLACED_MS = 5_000;

/**
 * The outcome of an answer to a call with a pool's key. What is about the key is not about the task:
 * it waits for another, whatever else the answer says.
 */
export function outcomeWithKey(
  answer: Answer,
  feedback: KeyFeedback,
  now: number,
  meaning?: AnswerRule['meaning'],
): Outcome {
  if (meaning !== undefined && meaning !== 'key') return outcomeOfAnswer(answer, now, meaning);
  if (!isAboutKey(feedback)) return outcomeOfAnswer(answer, now);
  return {
    kind: 'deferred',
    reason: feedback.kind === 'limited' ? 'rate-limited' : 'key-refused',
    retryAfterMs: UNPLACED_MS,
    error: httpError(answer),
  };
}

/** The task's lease is over, or would be before the call (rule R14). */
export const TOO_LATE: Extract<Outcome, { kind: 'deferred' }> = {
  kind: 'deferred',
  reason: 'lease-too-short',
  retryAfterMs: undefined,
};

/** No key helps: the task itself is what is refused. */
export function permanentRefusal(message: string, httpStatus: number | undefined): Outcome {
  return { kind: 'permanent', error: { class: 'http', message, ...(httpStatus !== undefined && { httpStatus }) } };
}

function httpError(answer: Answer): TaskError {
  return { class: 'http', httpStatus: answer.status, message: shorten(describe(answer)) };
}

function isPlainWords(body: Answer['body']): body is Content {
  if (body === undefined || body.encoding === 'base64') return false;
  return body.text.trim() !== '' && !/^\s*<|^error code: \d+\s*$/i.test(body.text);
}

/** The backend's own words, as far as they are text. */
function describe({ status, location, body, lacking }: Answer): string {
  const isRedirect = status >= 300 && status < 400 && location !== undefined;
  const answered = `The backend answered ${status}${isRedirect ? `, a redirect to ${location}, which is not followed` : ''}`;
  const meaning = edgeMeaning(status);
  // What a proxy makes up is a page that helps nobody; a backend that answers so itself says why.
  if (meaning !== undefined)
    return `${answered}: ${meaning}.${isPlainWords(body) ? ` It said: ${body.text.trim()}` : ''}`;
  if (lacking?.class === 'result-unreadable') return `${answered}. ${lacking.why}`;
  if (body === undefined || body.encoding === 'base64' || body.text.trim() === '') return `${answered}.`;
  return `${answered}: ${body.text.trim()}`;
}
