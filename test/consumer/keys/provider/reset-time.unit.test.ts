import { describe, expect, it } from 'vitest';
import { limitFieldsOf } from '../../../../consumer/keys/provider/limit-fields.ts';
import { resetAtOf, resetTime } from '../../../../consumer/keys/provider/reset-time.ts';

const NOW = Date.UTC(2026, 10, 20, 12);
const waitFor = (headers: Record<string, string>, body?: unknown) => {
  const at = resetAtOf(limitFieldsOf(new Headers(headers)), body, NOW);
  return at === undefined ? undefined : at - NOW;
};
const googleError = (retryDelay: string) => ({
  error: { code: 429, details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }] },
});

describe('when a rate limit is over', () => {
  it.each<[string, Record<string, string>, number]>([
    ['seconds', { 'retry-after': '20' }, 20_000],
    ['a date', { 'retry-after': 'Fri, 20 Nov 2026 12:00:30 GMT' }, 30_000],
    ['a date of old', { 'retry-after': 'Friday, 20-Nov-26 12:00:30 GMT' }, 30_000],
    ['a moment', { 'retry-after': String(NOW / 1000 + 30) }, 30_000],
    ['milliseconds', { 'retry-after-ms': '1500' }, 1_500],
    ["Azure's milliseconds", { 'x-ms-retry-after-ms': '1500' }, 1_500],
    ['the older draft', { 'ratelimit-reset': '7' }, 7_000],
    ['the newer draft', { ratelimit: '"default";r=0;t=12' }, 12_000],
    ['the draft in between', { ratelimit: 'limit=10, remaining=0, reset=9' }, 9_000],
    ['Unix seconds', { 'x-ratelimit-reset': String(NOW / 1000 + 40) }, 40_000],
    ['Unix milliseconds', { 'x-ratelimit-reset': String(NOW + 41_000) }, 41_000],
    ['Unix microseconds', { 'x-ratelimit-reset': String((NOW + 42_000) * 1e3) }, 42_000],
    ['Unix nanoseconds', { 'x-ratelimit-reset': String((NOW + 43_000) * 1e6) }, 43_000],
    ["Anthropic's plans", { 'anthropic-ratelimit-unified-reset': String(NOW / 1000 + 3_600) }, 3_600_000],
    ['OpenAI, seconds', { 'x-ratelimit-reset-requests': '1s' }, 1_000],
    ['OpenAI, minutes', { 'x-ratelimit-reset-tokens': '6m0s' }, 360_000],
    ['OpenAI, milliseconds', { 'x-ratelimit-reset-tokens': '120ms' }, 120],
    ['hours and fractions', { 'x-ratelimit-reset-requests': '1h2m3.5s' }, 3_723_500],
    ['Anthropic', { 'anthropic-ratelimit-requests-reset': '2026-11-20T12:01:05Z' }, 65_000],
    ['Anthropic, tokens', { 'anthropic-ratelimit-output-tokens-reset': '2026-11-20T12:00:08Z' }, 8_000],
  ])('is read from %s', (_name, headers, expected) => {
    expect(waitFor(headers)).toBe(expected);
  });

  it.each([
    'retry-after-ms',
    'x-ms-retry-after-ms',
    'ratelimit-reset',
    'x-ratelimit-reset',
    'x-ratelimit-reset-requests',
  ])('is a finite time or none, whatever number stands in %s', (name) => {
    for (const number of ['9'.repeat(300), '9'.repeat(400), `${'9'.repeat(400)}s`]) {
      const wait = waitFor({ [name]: number });
      expect(wait === undefined || Number.isFinite(wait), `${number.slice(0, 9)}… of ${number.length}: ${wait}`).toBe(
        true,
      );
    }
  });

  it('is read from Google in the body', () => {
    expect(waitFor({}, googleError('34.07s'))).toBe(34_070);
    expect(waitFor({}, [googleError('2s')])).toBe(2_000);
  });

  it('is what is said of this refusal, else the latest of the limits that are used up', () => {
    const resets = { 'x-ratelimit-reset-requests': '9s', 'ratelimit-reset': '7' };
    expect(waitFor(resets)).toBe(9_000);
    expect(waitFor({ ...resets, 'retry-after': '5' })).toBe(5_000);
    expect(waitFor({ ...resets, 'retry-after': '5' }, googleError('45s'))).toBe(45_000);
  });

  it('is read from Google as an object too', () => {
    const delay = { seconds: '12', nanos: 500_000_000 } as unknown as string;
    expect(waitFor({}, googleError(delay))).toBe(12_500);
  });

  it.each<[string, unknown, number]>([
    ['a number', 34, 34_000],
    ['digits', '34', 34_000],
    ['an object', { seconds: 34 }, 34_000],
    ['nanoseconds', { nanos: 500_000_000 }, 500],
    ['minutes', '1m30s', 90_000],
  ])('is read from Google as %s', (_name, delay, expected) => {
    expect(waitFor({}, googleError(delay as string))).toBe(expected);
  });

  it.each(['-5s', 'PT34S', null, true, {}, [], { seconds: 'x' }, { seconds: -1 }, '34,5s'])(
    'is not read from Google as %j',
    (delay) => {
      expect(waitFor({}, googleError(delay as string))).toBeUndefined();
    },
  );

  it('is read from what Google says beside, and from the detail that can be read', () => {
    const info = (metadata: unknown) => ({ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', metadata });
    expect(waitFor({}, { error: { details: [info({ quotaResetDelay: '20.1s' })] } })).toBe(20_100);
    expect(waitFor({}, { error: { details: [info(null), ...googleError('7s').error.details] } })).toBe(7_000);
  });

  it.each<[string, unknown, number]>([
    ['OpenAI', { error: { message: 'Limit 10000, Used 9000. Please try again in 6.5s. Visit …' } }, 6_500],
    ['OpenAI, minutes', { error: { message: 'Please try again in 7m12s.' } }, 432_000],
    ['OpenAI, milliseconds', { error: { message: 'Please try again in 120ms.' } }, 120],
    ['Azure', { error: { code: '429', message: 'Please retry after 7 seconds.' } }, 7_000],
    ["Azure's gateway", { statusCode: 429, message: 'Rate limit is exceeded. Try again in 55 seconds.' }, 55_000],
    ["Azure's quota", { message: 'Quota will be replenished in 2.12:30:45.' }, 217_845_000],
    ['Google', { error: { message: 'Quota exceeded. Please retry in 34.07s.' } }, 34_070],
    ['a plan', { error: { message: 'try again in 3 hours 5 minutes' } }, 11_100_000],
    ['Discord', { message: 'You are being rate limited.', retry_after: 64.57 }, 64_570],
  ])('is read from the words of %s where nothing else says it', (_name, body, expected) => {
    expect(waitFor({}, body)).toBe(expected);
    expect(waitFor({ 'retry-after': '3' }, body)).toBe(3_000);
  });

  it.each(['try again later', 'retry 3 times', 'wait', 'again in 5', 'Used 9000s of 10000s'])(
    'is not read from %j',
    (message) => {
      expect(waitFor({}, { error: { message } })).toBeUndefined();
    },
  );

  it('is judged by the answer’s own date where the backend’s clock is off', () => {
    const date = 'Fri, 20 Nov 2026 11:55:00 GMT';
    expect(waitFor({ date, 'x-ratelimit-reset': String((NOW - 300_000) / 1000 + 40) })).toBe(40_000);
    expect(waitFor({ date, 'retry-after': 'Fri, 20 Nov 2026 11:55:30 GMT' })).toBe(30_000);
    expect(waitFor({ date, 'retry-after': '30' })).toBe(30_000);
  });

  it('is not read from a field that is malformed anywhere', () => {
    expect(waitFor({ ratelimit: '"default";r=0;t=12, ;;' })).toBeUndefined();
    for (const item of [
      'r=x;t=12',
      'r=?1;t=12',
      'r=-1;t=12',
      'r=0.5;t=12',
      't=12',
      'r=0;t=-1',
      'r=0;t=1.5',
      'r=0;t=soon',
    ]) {
      expect(waitFor({ ratelimit: `"default";${item}` }), item).toBeUndefined();
    }
    expect(waitFor({ ratelimit: 'limit=x, remaining=y, reset=12' })).toBeUndefined();
    expect(waitFor({ ratelimit: '"a, b";r=0;t=12' })).toBe(12_000);
    expect(waitFor({ ratelimit: '"a";r=0;t=12, "b";r=0;t=60' })).toBe(60_000);
  });

  it('leaves out allowances of which something is left', () => {
    const headers = {
      'x-ratelimit-reset-tokens': '6m0s',
      'x-ratelimit-remaining-tokens': '100',
      'x-ratelimit-reset-requests': '12s',
      'x-ratelimit-remaining-requests': '0',
    };
    expect(waitFor(headers)).toBe(12_000);
    expect(waitFor({ ratelimit: '"default";r=3;t=12' })).toBeUndefined();
  });

  it('is unknown when nothing is said, or nothing that is understood', () => {
    expect(waitFor({})).toBeUndefined();
    expect(
      waitFor({ 'retry-after': 'soon', 'x-ratelimit-reset': 'x' }, { error: { details: 'none' } }),
    ).toBeUndefined();
    expect(resetTime('tomorrow', NOW)).toBeUndefined();
    expect(resetTime('', NOW)).toBeUndefined();
  });
});
