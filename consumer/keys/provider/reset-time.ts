/**
 * When a rate limit is over, from whatever a backend says about it. What it says of this refusal wins
 * (`Retry-After`, Google's `RetryInfo`); else the latest of the limits that are used up; else what its message says in
 * words. Moments are judged by the answer's own `Date`: the backend's clock may be off. Pure.
 */
import type { Content } from '../../../shared/task/content.ts';
import { MAX_RETRY_AFTER_MS, momentOf, retryAfterMs } from '../../call/answer/retry-after.ts';
import { amountOf, durationMs } from './duration.ts';
import { ALLOWANCES, type LimitFields, limitFieldsOf } from './limit-fields.ts';
import { rateLimitOf } from './rate-limit-fields.ts';
import { jsonOf, retryInfoMs, saidWaitMs } from './refusal-body.ts';

/**
 * @param body the answer's JSON, when it is some
 * @returns Unix ms, or undefined when nothing is said
 */
export function resetAtOf(fields: LimitFields, body: unknown, now: number): number | undefined {
  const offMs = clockOffMs(fields, now);
  const exact = [
    amountOf(fields.get('retry-after-ms') ?? fields.get('x-ms-retry-after-ms')),
    retryAfterMs(fields.get('retry-after') ?? null, now - offMs),
    retryInfoMs(body),
  ].filter((ms) => ms !== undefined);
  if (exact.length > 0) return now + Math.max(...exact);
  const times = [
    // A reset counts unless the backend says that some of it is left.
    ...ALLOWANCES.filter(({ remaining }) => !(Number(fields.get(remaining) ?? 0) > 0)).map(({ reset }) =>
      resetTime(fields.get(reset), now, offMs),
    ),
    ...rateLimitOf(fields)
      .filter(({ remaining }) => remaining <= 0)
      .map(({ resetSeconds }) => resetSeconds && now + resetSeconds * 1000),
  ].filter((at) => at !== undefined);
  if (times.length > 0) return Math.max(...times);
  const waitMs = saidWaitMs(body);
  return waitMs && now + waitMs;
}

/** How long an answer asks to wait: one with 429 in any way, every other by `Retry-After`. */
export function statedWaitMs(
  { status, headers, body }: { readonly status: number; readonly headers: Headers; readonly body: Content | undefined },
  now: number,
): number | undefined {
  const fields = limitFieldsOf(headers);
  const after = retryAfterMs(headers.get('retry-after'), now - clockOffMs(fields, now));
  if (status !== 429 || after !== undefined) return after;
  const resetAt = resetAtOf(fields, jsonOf(body), now);
  return resetAt === undefined || resetAt <= now ? undefined : Math.min(resetAt - now, MAX_RETRY_AFTER_MS);
}

/** Answers take a while: less than this is no other clock. */
const SAME_CLOCK_MS = 5_000;

/** How far our clock is ahead of the backend's. */
export function clockOffMs(fields: LimitFields, now: number): number {
  const theirs = Date.parse(fields.get('date') ?? '');
  return Number.isNaN(theirs) || Math.abs(now - theirs) < SAME_CLOCK_MS ? 0 : now - theirs;
}

/**
 * Seconds, a duration such as `6m0s`, Unix time, or a date.
 * @param offMs how far our clock is ahead: moments are moved by it
 */
export function resetTime(text: string | undefined, now: number, offMs = 0): number | undefined {
  const value = text?.trim() ?? '';
  const number = amountOf(value);
  if (number !== undefined) {
    const at = momentOf(number);
    return at === undefined ? now + number * 1000 : at + offMs;
  }
  const duration = durationMs(value);
  if (duration !== undefined) return now + duration;
  if (!/^\d{4}-\d\d-\d\dT/.test(value) && !/^[A-Z][a-z]{2},? /.test(value)) return undefined;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : at + offMs;
}
