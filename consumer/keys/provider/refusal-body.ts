/**
 * What providers say about a key or a quota in the body of an error: reads OpenAI's, Anthropic's and
 * Google's words. Pure; anything else is simply not recognised.
 */
import { durationMs } from './duration.ts';

interface GoogleDetail {
  readonly '@type'?: unknown;
  readonly retryDelay?: unknown;
  readonly reason?: unknown;
  readonly violations?: unknown;
}

/** OpenAI `insufficient_quota`, Google APIs `dailyLimitExceeded` and `quotaExceeded`, and the like. */
const EXHAUSTED_CODE =
  /^(?:insufficient_quota|billing_hard_limit_reached|quota_exceeded|quotaExceeded|dailyLimitExceeded|usage_limit_reached)$/;
/** Anthropic says it in words, with status 400. */
const EXHAUSTED_WORDS = /credit balance is too low|exceeded your current quota/i;

/** Google's name for an invalid key, with status 400. */
const INVALID_KEY_REASON = 'API_KEY_INVALID';

/** `google.rpc.RetryInfo`. */
export function retryInfoMs(body: unknown): number | undefined {
  for (const { '@type': type, retryDelay } of googleDetails(body)) {
    if (String(type).endsWith('google.rpc.RetryInfo')) return protoDurationMs(retryDelay);
  }
  return undefined;
}

/** `"12.5s"`, or `{ "seconds": "12", "nanos": 500000000 }`. */
function protoDurationMs(delay: unknown): number | undefined {
  if (typeof delay === 'string') return durationMs(delay);
  if (typeof delay !== 'object' || delay === null) return undefined;
  const { seconds = 0, nanos = 0 } = delay as { seconds?: unknown; nanos?: unknown };
  const ms = Number(seconds) * 1_000 + Number(nanos) / 1e6;
  return Number.isFinite(ms) && ms >= 0 ? Math.ceil(ms) : undefined;
}

const DATE_IN_PROSE =
  /\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?|[A-Z][a-z]{2,8} \d{1,2}, \d{4},? (?:at )?\d{1,2}:\d\d(?::\d\d)?(?: ?[AP]M)?(?: ?(?:UTC|GMT))?/;

/** When a plan's allowance is there again: in a field of its own, or as a date in the message. Unix ms. */
export function usageResetAt(body: unknown, now: number): number | undefined {
  const error = errorOf(body);
  const seconds = error?.resets_in_seconds;
  if (typeof seconds === 'number' && seconds >= 0) return now + seconds * 1_000;
  const date = typeof error?.message === 'string' ? DATE_IN_PROSE.exec(error.message)?.[0] : undefined;
  if (date === undefined) return undefined;
  const text = date.replace(' at ', ' ');
  const at = Date.parse(
    /(?:Z|UTC|GMT|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}${text.includes('T') ? 'Z' : ' UTC'}`,
  );
  return Number.isNaN(at) ? undefined : at;
}

/** More than the key may take at once: Anthropic's `request_too_large`, OpenAI's "Limit 30000, Requested 342389". */
export function isTooLarge(status: number, body: unknown): boolean {
  if (status === 413) return codesOf(body).includes('request_too_large');
  const message = errorOf(body)?.message;
  if (status !== 429 || typeof message !== 'string') return false;
  const [, limit, requested] = /Limit:? (\d+), Requested:? (\d+)/i.exec(message) ?? [];
  return Number(requested) > Number(limit);
}

/** It is the model that this key may not use, or that is not there. */
export function isAboutModel(body: unknown): boolean {
  if (codesOf(body).includes('model_not_found')) return true;
  const message = errorOf(body)?.message;
  return (
    typeof message === 'string' &&
    /\bmodels?\b[^.]*\b(?:not found|not exist|not have access|no access)|\baccess to (?:the )?model\b/i.test(message)
  );
}

/** An allowance for a day or a purse is used up: more than a matter of seconds. */
export function isExhausted(body: unknown): boolean {
  return isDayExhausted(body) || codesOf(body).some((code) => EXHAUSTED_CODE.test(code)) || isOutOfCredit(body);
}

function isOutOfCredit(body: unknown): boolean {
  const message = errorOf(body)?.message;
  // Google uses OpenAI's words for limits of a minute too, and says more in its details.
  return typeof message === 'string' && EXHAUSTED_WORDS.test(message) && googleDetails(body).length === 0;
}

/** Google's `QuotaFailure` names the quota, such as `GenerateRequestsPerDayPerProjectPerModel-FreeTier`. */
export function isDayExhausted(body: unknown): boolean {
  return googleDetails(body).some(
    ({ '@type': type, violations }) =>
      String(type).endsWith('google.rpc.QuotaFailure') &&
      Array.isArray(violations) &&
      violations.some((violation: { quotaId?: unknown }) => /PerDay/.test(String(violation?.quotaId))),
  );
}

export function isInvalidKey(body: unknown): boolean {
  return googleDetails(body).some(({ reason }) => reason === INVALID_KEY_REASON);
}

const DAY_MS = 86_400_000;

/** Google's days end at midnight Pacific time. */
export function nextPacificMidnight(now: number): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: 'America/Los_Angeles',
    hourCycle: 'h23',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(now);
  const part = (type: string) => Number(parts.find((each) => each.type === type)?.value ?? 0);
  const sinceMidnightMs = ((part('hour') * 60 + part('minute')) * 60 + part('second')) * 1000;
  return now + DAY_MS - sinceMidnightMs;
}

function errorOf(body: unknown): Record<string, unknown> | undefined {
  const [document] = Array.isArray(body) ? body : [body];
  if (typeof document !== 'object' || document === null) return undefined;
  const { error } = document as { error?: unknown };
  return typeof error === 'object' && error !== null ? (error as Record<string, unknown>) : undefined;
}

function codesOf(body: unknown): string[] {
  const error = errorOf(body);
  const nested = Array.isArray(error?.errors) ? (error.errors as { reason?: unknown }[]) : [];
  return [error?.code, error?.type, ...nested.map((each) => each?.reason)].filter((code) => typeof code === 'string');
}

function googleDetails(body: unknown): GoogleDetail[] {
  const details = errorOf(body)?.details;
  return Array.isArray(details) ? details.filter((detail) => typeof detail === 'object' && detail !== null) : [];
}
