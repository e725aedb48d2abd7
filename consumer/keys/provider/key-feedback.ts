/**
 * What a backend's answer says of the key it was asked with. Pure. Answers that are about the request
 * speak for the key, whatever they say; failing backends say nothing about it.
 */
import type { Answer } from '../../call/answer/outcome.ts';
import { MAX_RETRY_AFTER_MS } from '../../call/answer/retry-after.ts';
import type { KeyFeedback, LimitFacts } from '../pool/feedback.ts';
import { limitFactsOf, tellsOfLimits } from './limit-facts.ts';
import { type LimitFields, limitFieldsOf } from './limit-fields.ts';
import {
  isAboutModel,
  isDayExhausted,
  isExhausted,
  isInvalidKey,
  isRateLimited,
  isTooLarge,
  jsonOf,
  nextPacificMidnight,
  usageResetAt,
} from './refusal-body.ts';
import { resetAtOf } from './reset-time.ts';

export interface KeyObservation {
  readonly feedback: KeyFeedback;
  readonly facts?: LimitFacts;
}

const NO_FIELDS: LimitFields = new Map();

export function observeKey({ status, headers, body }: Answer, now: number): KeyObservation {
  const fields = status < 400 && !tellsOfLimits(headers) ? NO_FIELDS : limitFieldsOf(headers);
  // What worked is read for what it used, and only if it says so: results can be long.
  const json = status >= 400 || body?.text.includes('"usage') ? jsonOf(body) : undefined;
  const facts = limitFactsOf(fields, json, now);
  return { feedback: feedbackOf(status, fields, json, now), ...(facts !== undefined && { facts }) };
}

function feedbackOf(status: number, fields: LimitFields, json: unknown, now: number): KeyFeedback {
  if (status < 400) return { kind: 'worked' };
  if (isTooLarge(status, json)) return { kind: 'too-large', httpStatus: status };
  // An exhausted quota comes as 429, 403 or even 400; only its words tell.
  if ((status === 429 || status === 403 || status === 400) && isExhausted(json)) {
    return { kind: 'limited', quota: true, resetAt: sane(quotaResetAt(fields, json, now), now) };
  }
  if (status === 429 || isLimitedOtherwise(status, fields, json)) {
    return { kind: 'limited', quota: false, resetAt: sane(resetAtOf(fields, json, now), now) };
  }
  if ((status === 403 || status === 404) && isAboutModel(json)) {
    return { kind: 'refused', httpStatus: status, about: 'bucket' };
  }
  if (status === 401 || status === 402 || status === 403) return { kind: 'refused', httpStatus: status, about: 'key' };
  if (status === 400 && isInvalidKey(json)) return { kind: 'refused', httpStatus: status, about: 'key' };
  return status >= 500 || status === 408 ? { kind: 'unknown' } : { kind: 'worked' };
}

/** GitHub and Google's older APIs refuse with 403, AWS with 400: what says until when, or that nothing is left, is no refusal. */
function isLimitedOtherwise(status: number, fields: LimitFields, json: unknown): boolean {
  if (status !== 403 && status !== 400) return false;
  if (isRateLimited(json, fields.get('x-amzn-errortype'))) return true;
  return status === 403 && (fields.has('retry-after') || fields.get('x-ratelimit-remaining')?.trim() === '0');
}

/** Google says when to try again, not when its day ends. */
function quotaResetAt(fields: LimitFields, json: unknown, now: number): number | undefined {
  const said = resetAtOf(fields, json, now) ?? usageResetAt(json, now);
  return isDayExhausted(json) ? Math.max(said ?? 0, nextPacificMidnight(now)) : said;
}

/** Even a limit of a month is looked at once a day; what lies in the past says nothing. */
function sane(resetAt: number | undefined, now: number): number | undefined {
  return resetAt === undefined || !(resetAt > now) ? undefined : Math.min(resetAt, now + MAX_RETRY_AFTER_MS);
}
