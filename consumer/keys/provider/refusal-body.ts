/**
 * What providers say about a key or a quota in the body of an error: reads OpenAI's, Anthropic's and
 * Google's words. Pure; anything else is simply not recognised.
 */
import { parsedJson } from '../../../shared/json-text.ts';
import type { Content } from '../../../shared/task/content.ts';
import { amountOf, durationMs, waitInProseMs } from './duration.ts';

/** OpenAI `insufficient_quota`, Google APIs `dailyLimitExceeded` and `quotaExceeded`, and the like. */
const EXHAUSTED_CODE =
  /^(?:insufficient_quota|billing_hard_limit_reached|quota_exceeded|quotaExceeded|dailyLimitExceeded|usage_limit_reached)$/;
/** Anthropic says it in words, with status 400; Azure's gateway with 403. */
const EXHAUSTED_WORDS =
  /credit balance is too low|exceeded your current quota|reached your specified API usage limits|out of (?:call volume|bandwidth) quota/i;

/** Google APIs' reasons with status 403, and what services of AWS call it, many with status 400. */
const LIMITED_CODE =
  /^(?:rateLimitExceeded|userRateLimitExceeded|rate_limit_exceeded|Throttling|Throttl(?:ing|ed)Exception|TooManyRequests(?:Exception)?|RequestThrottled(?:Exception)?|RequestLimitExceeded|ProvisionedThroughputExceededException|SlowDown)$/;

/** Google's name for an invalid key, with status 400. */
const INVALID_KEY_REASON = 'API_KEY_INVALID';

/** `google.rpc.RetryInfo`, or what `ErrorInfo` says of the quota. */
export function retryInfoMs(body: unknown): number | undefined {
  const details = googleDetails(body);
  const delays = details.map(({ '@type': type, retryDelay, retry_delay = retryDelay, metadata }) => {
    if (String(type).endsWith('google.rpc.RetryInfo')) return protoDurationMs(retry_delay);
    return isObject(metadata) ? protoDurationMs(metadata.quotaResetDelay) : undefined;
  });
  const known = delays.filter((ms) => ms !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/** `"12.5s"`, `{ "seconds": "12", "nanos": 500000000 }`, or, as some proxies write it, seconds. */
function protoDurationMs(delay: unknown): number | undefined {
  const seconds = amountOf(delay);
  if (seconds !== undefined) return Math.ceil(seconds * 1_000);
  if (typeof delay === 'string') return durationMs(delay);
  if (!isObject(delay) || !('seconds' in delay || 'nanos' in delay)) return undefined;
  const ms = Number(delay.seconds ?? 0) * 1_000 + Number(delay.nanos ?? 0) / 1e6;
  return Number.isFinite(ms) && ms >= 0 ? Math.ceil(ms) : undefined;
}

/** What a refusal says in words, or in a field that is no standard's: Discord's `retry_after`, in seconds. */
export function saidWaitMs(body: unknown): number | undefined {
  const field = errorOf(body)?.retry_after ?? (isObject(body) ? body.retry_after : undefined);
  if (typeof field === 'number' && field >= 0) return Math.ceil(field * 1_000);
  return waitInProseMs(messageOf(body));
}

const TIME = '\\d{1,2}:\\d\\d(?::\\d\\d(?:\\.\\d+)?)?(?: ?[AP]M)?(?: ?(?:Z|UTC|GMT|[+-]\\d\\d:?\\d\\d)\\b)?';
const DATE_IN_PROSE = new RegExp(
  [
    `\\d{4}-\\d\\d-\\d\\d(?:T| (?:at )?)${TIME}`,
    `[A-Z][a-z]{2,8} \\d{1,2}, \\d{4},? (?:at )?${TIME}`,
    `\\d{1,2} [A-Z][a-z]{2,8} \\d{4},? (?:at )?${TIME}`,
  ].join('|'),
);

/** When a plan's allowance is there again: in a field of its own, or as a date in the message. Unix ms. */
export function usageResetAt(body: unknown, now: number): number | undefined {
  const { resets_in_seconds: wait, resets_at: moment } = errorOf(body) ?? {};
  const [seconds, number] = [amountOf(wait), amountOf(moment)];
  if (seconds !== undefined) return now + seconds * 1_000;
  if (number !== undefined) return number * (number < 1e11 ? 1_000 : 1);
  const date = DATE_IN_PROSE.exec(typeof moment === 'string' ? moment : messageOf(body))?.[0];
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
  const numbers = /Limit:? ([\d,]+), Requested:? ([\d,]+)/i.exec(messageOf(body))?.slice(1) ?? [];
  const [limit, requested] = numbers.map((number) => Number(number.replaceAll(',', '')));
  return status === 429 && limit !== undefined && requested !== undefined && requested > limit;
}

/** It is the model that this key may not use, or that is not there. */
export function isAboutModel(body: unknown): boolean {
  return codesOf(body).includes('model_not_found') || ABOUT_MODEL.test(messageOf(body));
}

const ABOUT_MODEL = /\bmodels?\b[^.]*\b(?:not found|not exist|not have access|no access)|\baccess to (?:the )?model\b/i;

/** An allowance for a day or a purse is used up: more than a matter of seconds. */
export function isExhausted(body: unknown): boolean {
  if (isDayExhausted(body) || codesOf(body).some((code) => EXHAUSTED_CODE.test(code))) return true;
  // Google uses OpenAI's words for limits of a minute too, and says more in its details.
  return EXHAUSTED_WORDS.test(messageOf(body)) && googleDetails(body).length === 0;
}

/** A limit of requests that is told with another status than 429. @param errorType AWS's header `x-amzn-errortype` */
export function isRateLimited(body: unknown, errorType: string | undefined): boolean {
  const own = isObject(body) ? [body.__type, body.code, body.Code] : [];
  // `com.amazonaws.dynamodb.v20120810#ThrottlingException`, `ThrottlingException:http://…`
  const names = [...codesOf(body), errorType, ...own].filter((name) => typeof name === 'string');
  return names.some((name) => LIMITED_CODE.test(name.replace(/^.*#|:.*$/g, '')));
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
  const clock = new Date(now).toLocaleTimeString('en-GB', { timeZone: 'America/Los_Angeles', hourCycle: 'h23' });
  const [hours = 0, minutes = 0, seconds = 0] = clock.split(':').map(Number);
  return now + DAY_MS - ((hours * 60 + minutes) * 60 + seconds) * 1_000;
}

export function jsonOf(body: Content | undefined): unknown {
  if (body === undefined) return undefined;
  // Some say it without a content type: it is kept as bytes then.
  const text = body.encoding === 'base64' ? atob(body.text) : body.text;
  return /^\s*[[{]/.test(text) ? parsedJson(text) : undefined;
}

function errorOf(body: unknown): Record<string, unknown> | undefined {
  const [document] = Array.isArray(body) ? body : [body];
  const error = isObject(document) ? document.error : undefined;
  return isObject(error) ? error : undefined;
}

/** Some put it into the document itself. */
function messageOf(body: unknown): string {
  return textOf(errorOf(body)?.message ?? (isObject(body) ? body.message : undefined));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function codesOf(body: unknown): string[] {
  const error = errorOf(body);
  const nested = Array.isArray(error?.errors) ? (error.errors as { reason?: unknown }[]) : [];
  return [error?.code, error?.type, ...nested.map((each) => each?.reason)].filter((code) => typeof code === 'string');
}

function googleDetails(body: unknown): Record<string, unknown>[] {
  const details = errorOf(body)?.details;
  return Array.isArray(details) ? details.filter(isObject) : [];
}
