import { describe, expect, it } from 'vitest';
import { observeKey } from '../../../../consumer/keys/provider/key-feedback.ts';
import { nextPacificMidnight } from '../../../../consumer/keys/provider/refusal-body.ts';

const NOW = Date.UTC(2026, 10, 20, 12);
const said = (status: number, json?: unknown, headers: Record<string, string> = {}) =>
  observeKey(
    {
      status,
      headers: new Headers(headers),
      body: json === undefined ? undefined : { type: 'application/json', encoding: 'json', text: JSON.stringify(json) },
    },
    NOW,
  );
const google = (...details: unknown[]) => ({ error: { code: 429, status: 'RESOURCE_EXHAUSTED', details } });
const quota = (quotaId: string) => ({
  '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
  violations: [{ quotaId }],
});
const retryIn = (retryDelay: string) => ({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay });

describe('what an answer says of its key', () => {
  it.each([200, 201, 202, 302, 404, 409, 422])('%i: the key works', (status) => {
    expect(said(status).feedback).toEqual({ kind: 'worked' });
  });

  it.each([500, 502, 503, 529, 408])('%i: nothing', (status) => {
    expect(said(status).feedback).toEqual({ kind: 'unknown' });
  });

  it.each([401, 402, 403])('%i: the key is refused', (httpStatus) => {
    expect(said(httpStatus).feedback).toEqual({ kind: 'refused', httpStatus, about: 'key' });
  });

  it('429: the key is limited, until the time that is said', () => {
    expect(said(429, undefined, { 'retry-after': '3' }).feedback).toEqual({
      kind: 'limited',
      quota: false,
      resetAt: NOW + 3_000,
    });
    expect(said(429).feedback).toEqual({ kind: 'limited', quota: false, resetAt: undefined });
  });

  it("an exhausted quota is no matter of seconds: OpenAI's, Anthropic's, Google APIs'", () => {
    for (const [status, body] of [
      [429, { error: { code: 'insufficient_quota', message: 'You exceeded your current quota' } }],
      [400, { error: { type: 'invalid_request_error', message: 'Your credit balance is too low to access the API' } }],
      [403, { error: { code: 403, errors: [{ reason: 'quotaExceeded' }] } }],
    ] as const) {
      expect(said(status, body).feedback).toEqual({ kind: 'limited', quota: true, resetAt: undefined });
    }
  });

  it("a plan's allowance is there again when its own field or its message says so", () => {
    const used = { error: { type: 'usage_limit_reached', message: 'The usage limit has been reached' } };
    expect(said(429, used).feedback).toEqual({ kind: 'limited', quota: true, resetAt: undefined });
    const inTwoHours = { error: { ...used.error, resets_in_seconds: 7_200 } };
    expect(said(429, inTwoHours).feedback).toEqual({ kind: 'limited', quota: true, resetAt: NOW + 7_200_000 });
    const inProse = { error: { ...used.error, message: 'Your limit will reset on 2026-11-20 15:00:00 UTC' } };
    expect(said(429, inProse).feedback).toEqual({ kind: 'limited', quota: true, resetAt: NOW + 3 * 3_600_000 });
  });

  it.each<[string, unknown]>([
    ['a number', { resets_in_seconds: 7_200 }],
    ['digits', { resets_in_seconds: '7200' }],
    ['a moment', { resets_at: NOW / 1000 + 7_200 }],
    ['milliseconds', { resets_at: NOW + 7_200_000 }],
    ['a date', { resets_at: '2026-11-20T14:00:00Z' }],
    ['words', { message: 'You will regain access on 2026-11-20 at 14:00 UTC.' }],
    ['a date of America', { message: 'Try again at November 20, 2026 2:00 PM.' }],
    ['a date of Britain', { message: 'It resets at 20 Nov 2026 14:00 GMT' }],
    ['a span', { message: 'Please try again in 2 hours.' }],
  ])('the end of a plan’s pause is read as %s', (_name, said_) => {
    const body = { error: { type: 'usage_limit_reached', ...(said_ as object) } };
    expect(said(429, body).feedback).toEqual({ kind: 'limited', quota: true, resetAt: NOW + 7_200_000 });
  });

  it.each<[string, number, unknown, Record<string, string>, number | undefined]>([
    ['GitHub', 403, {}, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW / 1000 + 600) }, 600_000],
    ["GitHub's second limit", 403, {}, { 'retry-after': '60' }, 60_000],
    ["Google's older APIs", 403, { error: { errors: [{ reason: 'userRateLimitExceeded' }] } }, {}, undefined],
    ['AWS', 400, { __type: 'com.amazonaws.x#ThrottlingException' }, {}, undefined],
    ['AWS, in a header', 400, {}, { 'x-amzn-errortype': 'ThrottlingException:http://x/' }, undefined],
  ])('a limit that %s tells with %i is one', (_name, status, body, headers, inMs) => {
    const resetAt = inMs && NOW + inMs;
    expect(said(status, body, headers).feedback).toEqual({ kind: 'limited', quota: false, resetAt });
  });

  it('an allowance of calls that is used up is one of a plan, also where Azure and Anthropic say it', () => {
    for (const [status, body] of [
      [403, { statusCode: 403, message: 'Out of call volume quota. Quota will be replenished in 02:00:00.' }],
      [400, { error: { message: 'You have reached your specified API usage limits. Try again in 2 hours.' } }],
    ] as const) {
      expect(said(status, body).feedback).toEqual({ kind: 'limited', quota: true, resetAt: NOW + 7_200_000 });
    }
  });

  it('no wait is longer than a day, and what lies in the past is none', () => {
    const until = (headers: Record<string, string>, json?: unknown) => {
      const { feedback } = said(429, json, headers);
      return feedback.kind === 'limited' ? feedback.resetAt : 'not limited';
    };
    const DAY_MS = 86_400_000;
    expect(until({ 'retry-after': '31536000' })).toBe(NOW + DAY_MS);
    expect(until({ 'x-ratelimit-reset': '4102444800' })).toBe(NOW + DAY_MS);
    expect(until({}, { error: { type: 'usage_limit_reached', resets_in_seconds: 900_000 } })).toBe(NOW + DAY_MS);
    expect(until({ 'x-ratelimit-reset': '1000000000' })).toBeUndefined();
  });

  it.each([
    { error: { message: 'Request too large for gpt: Limit 30000, Requested 342389.' } },
    { message: 'Tokens per minute: limit 30,000, requested 342,389, please send less' },
  ])('a request that is larger than the limit itself fits at no time: %j', (body) => {
    expect(said(429, body).feedback).toEqual({ kind: 'too-large', httpStatus: 429 });
    const less = JSON.parse(JSON.stringify(body).replace(/342,?389/, '900'));
    expect(said(429, less).feedback).toMatchObject({ kind: 'limited' });
  });

  it.each([
    [404, { error: { code: 'model_not_found', message: 'The model `gpt-9` does not exist' } }],
    [403, { error: { message: 'Project has no access to the model `o9-pro`' } }],
    [404, { error: { type: 'not_found_error', message: 'model: claude-9 not found' } }],
    [404, { message: 'Model vision-9 does not exist' }],
  ])('%i about a model is the matter of the bucket, not of the key', (httpStatus, body) => {
    expect(said(httpStatus, body).feedback).toEqual({ kind: 'refused', httpStatus, about: 'bucket' });
  });

  it("Google's day ends at midnight Pacific time, whatever it says about trying again", () => {
    const body = google(quota('GenerateRequestsPerDayPerProjectPerModel-FreeTier'), retryIn('30s'));
    const { feedback } = said(429, body);
    // 12:00 UTC in November is 04:00 in California.
    expect(feedback).toEqual({ kind: 'limited', quota: true, resetAt: NOW + 20 * 3_600_000 });
    expect(nextPacificMidnight(NOW)).toBe(NOW + 20 * 3_600_000);
  });

  it("Google's minute is a rate limit", () => {
    const body = google(quota('GenerateRequestsPerMinutePerProjectPerModel-FreeTier'), retryIn('17s'));
    expect(said(429, body).feedback).toEqual({ kind: 'limited', quota: false, resetAt: NOW + 17_000 });
  });

  it("Google's 400 for an invalid key is a refusal, any other 400 is about the request", () => {
    const info = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' };
    expect(said(400, google(info)).feedback).toEqual({ kind: 'refused', httpStatus: 400, about: 'key' });
    expect(said(400, google()).feedback).toEqual({ kind: 'worked' });
  });
});

describe('what an answer says of limits', () => {
  it("is read in OpenAI's, Anthropic's and the draft's words", () => {
    const openai = {
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-reset-requests': '1s',
      'x-ratelimit-limit-tokens': '150000',
      'x-ratelimit-remaining-tokens': '149984',
      'x-ratelimit-reset-tokens': '6m0s',
    };
    expect(said(200, { usage: { total_tokens: 16 } }, openai).facts).toEqual({
      requests: { limit: 60, remaining: 59, resetAt: NOW + 1_000 },
      tokens: { limit: 150_000, remaining: 149_984, resetAt: NOW + 360_000 },
      tokensUsed: 16,
    });
    const draft = { 'ratelimit-policy': '"burst";q=100;w=60', ratelimit: '"burst";r=3;t=20' };
    expect(said(200, undefined, draft).facts).toEqual({
      requests: { limit: 100, remaining: 3, resetAt: NOW + 20_000, periodMs: 60_000 },
    });
    const several = {
      'ratelimit-policy': '"burst";q=10;w=1, "day";q=1000;w=86400',
      ratelimit: '"burst";r=9;t=1, "day";r=5;t=600',
    };
    expect(said(200, undefined, several).facts?.requests).toMatchObject({ limit: 1_000, remaining: 5 });
    // Bytes and calls under way are no requests, and an item without `r` does not say that nothing is left.
    const others = {
      'ratelimit-policy':
        '"burst";q=10;w=1;pk=:YQ==:, "bytes";q=65535;qu="content-bytes";w=10, "most";q=9;qu="concurrent-requests"',
      ratelimit: '"burst";r=9;pk=:YQ==:, "bytes";r=0;t=3, "most";r=0, "unsaid";t=50',
    };
    expect(said(200, undefined, others).facts?.requests).toEqual({
      limit: 10,
      remaining: 9,
      resetAt: NOW + 1_000,
      periodMs: 1_000,
    });
    const asScarce = {
      'ratelimit-policy': '"burst";q=10;w=1, "day";q=1000;w=86400',
      ratelimit: '"burst";r=0;t=1, "day";r=0;t=600',
    };
    expect(said(200, undefined, asScarce).facts?.requests).toMatchObject({ resetAt: NOW + 600_000 });
    const malformed = { 'ratelimit-policy': '"burst";q=100;w=60', ratelimit: '"burst";r=3;t=20, "open' };
    expect(said(200, undefined, malformed).facts).toBeUndefined();
    const anthropic = {
      'anthropic-ratelimit-requests-limit': '50',
      'anthropic-ratelimit-requests-remaining': '49',
      'anthropic-ratelimit-requests-reset': '2026-11-20T12:00:02Z',
    };
    expect(said(200, { usage: { input_tokens: 3, output_tokens: 4 } }, anthropic).facts).toEqual({
      requests: { limit: 50, remaining: 49, resetAt: NOW + 2_000 },
      tokensUsed: 7,
    });
  });

  it('is nothing when nothing is said', () => {
    expect(said(200, { usage: null }).facts).toBeUndefined();
    expect(said(200, undefined, { 'x-ratelimit-limit-requests': '0' }).facts).toBeUndefined();
  });
});
