/**
 * What a backend tells of a key's limits beside any answer: how many requests and tokens are left,
 * and what this call took. Pure.
 */

import type { ToldLimit } from '../../../shared/capacity/limit.ts';
import type { LimitFacts } from '../pool/feedback.ts';
import { type AllowanceNames, type LimitFields, REQUESTS_LEFT, TOKENS_LEFT } from './limit-fields.ts';
import { rateLimitOf } from './rate-limit-fields.ts';
import { clockOffMs, resetTime } from './reset-time.ts';

/** Without one of these nothing is told of a limit, whatever else is said. */
const TELLING_HEADERS = ['ratelimit', ...[...REQUESTS_LEFT, ...TOKENS_LEFT].map(({ remaining }) => remaining)];

/** Most answers have none: asking for each of the names costs half of what reading all headers does. */
export function tellsOfLimits(headers: Headers): boolean {
  for (const name of TELLING_HEADERS) if (headers.has(name)) return true;
  return false;
}

/** @returns undefined when the backend says nothing that is understood */
export function limitFactsOf(fields: LimitFields, body: unknown, now: number): LimitFacts | undefined {
  const tokensUsed = tokensUsedOf(body);
  if (fields.size <= (fields.has('date') ? 1 : 0)) return tokensUsed === undefined ? undefined : { tokensUsed };
  const requests = draftAllowance(fields, now) ?? firstAllowance(REQUESTS_LEFT, fields, now);
  const tokens = firstAllowance(TOKENS_LEFT, fields, now);
  if (requests === undefined && tokens === undefined && tokensUsed === undefined) return undefined;
  return {
    ...(requests !== undefined && { requests }),
    ...(tokens !== undefined && { tokens }),
    ...(tokensUsed !== undefined && { tokensUsed }),
  };
}

/** Of several allowances of one kind the scarcest counts, of those that are as scarce the one that is so for longer. */
function firstAllowance(
  candidates: readonly AllowanceNames[],
  fields: LimitFields,
  now: number,
): ToldLimit | undefined {
  const found = candidates
    .map(({ limit, remaining, reset }) =>
      allowance(fields.get(limit), fields.get(remaining), resetTime(fields.get(reset), now, clockOffMs(fields, now))),
    )
    .filter((each) => each !== undefined);
  return found.sort(byScarcity)[0];
}

function byScarcity(a: ToldLimit, b: ToldLimit): number {
  return a.remaining / a.limit - b.remaining / b.limit || b.resetAt - a.resetAt;
}

function allowance(limit = '', remaining = '', resetAt: number | undefined): ToldLimit | undefined {
  // A list such as `100, 100;w=60` starts with the limit.
  const most = Number.parseInt(limit, 10);
  const left = Number.parseInt(remaining, 10);
  if (!(most >= 1) || !(left >= 0) || resetAt === undefined) return undefined;
  return { limit: most, remaining: left, resetAt };
}

function draftAllowance(fields: LimitFields, now: number): ToldLimit | undefined {
  return rateLimitOf(fields)
    .flatMap(({ limit, remaining, resetSeconds, windowSeconds, isOfRequests }): ToldLimit[] => {
      const seconds = resetSeconds ?? windowSeconds;
      if (!isOfRequests || limit === undefined || limit < 1 || seconds === undefined) return [];
      const periodMs = windowSeconds === undefined ? {} : { periodMs: windowSeconds * 1000 };
      return [{ limit, remaining, resetAt: now + seconds * 1000, ...periodMs }];
    })
    .sort(byScarcity)[0];
}

/** OpenAI `usage.total_tokens`, Anthropic `usage.input_tokens` and `output_tokens`, Google `usageMetadata`. */
function tokensUsedOf(body: unknown): number | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { usage, usageMetadata } = body as { usage?: Usage | null; usageMetadata?: Usage | null };
  const total = usage?.total_tokens ?? usageMetadata?.totalTokenCount;
  if (typeof total === 'number') return total;
  const parts = [usage?.input_tokens, usage?.output_tokens].filter((part) => typeof part === 'number');
  return parts.length === 0 ? undefined : parts.reduce((sum, part) => sum + part, 0);
}

type Usage = Readonly<Record<'total_tokens' | 'input_tokens' | 'output_tokens' | 'totalTokenCount', unknown>>;
