import { describe, expect, it } from 'vitest';
import { retryAfterMs } from '../../../../consumer/call/answer/retry-after.ts';

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);
const DAY_MS = 86_400_000;

describe('retryAfterMs', () => {
  it('reads seconds', () => {
    expect(retryAfterMs('0', NOW)).toBe(0);
    expect(retryAfterMs('120', NOW)).toBe(120_000);
    expect(retryAfterMs(' 120 ', NOW)).toBe(120_000);
    expect(retryAfterMs('1.5', NOW)).toBe(1_500);
  });

  it('reads dates', () => {
    expect(retryAfterMs('Fri, 20 Nov 2026 12:02:00 GMT', NOW)).toBe(120_000);
    // Recipients read all three forms of RFC 9110, section 5.6.7.
    expect(retryAfterMs('Friday, 20-Nov-26 12:02:00 GMT', NOW)).toBe(120_000);
    expect(retryAfterMs('Fri Nov 20 12:02:00 2026', NOW)).toBe(120_000);
    expect(retryAfterMs('2026-11-20T12:02:00Z', NOW)).toBe(120_000);
  });

  it('takes a number that is a moment as one, whatever its unit', () => {
    const at = (NOW + 120_000) / 1000;
    for (const unit of [1, 1e3, 1e6, 1e9]) expect(retryAfterMs(String(BigInt(at) * BigInt(unit)), NOW)).toBe(120_000);
    for (const past of ['1000000000', '1000000000000']) expect(retryAfterMs(past, NOW)).toBe(0);
  });

  it('takes a date that has passed as now', () => {
    expect(retryAfterMs('Thu, 19 Nov 2026 12:00:00 GMT', NOW)).toBe(0);
  });

  it('goes no further than a day', () => {
    expect(retryAfterMs('99999999999', NOW)).toBe(DAY_MS);
    expect(retryAfterMs('Fri, 20 Nov 2099 12:00:00 GMT', NOW)).toBe(DAY_MS);
    expect(retryAfterMs('9'.repeat(400), NOW)).toBe(DAY_MS);
  });

  it('ignores what it does not understand', () => {
    for (const text of ['', 'soon', '-5', '1e3', '0x10', '12 seconds', 'Fri, nonsense', '2026', 'NaN', 'Infinity']) {
      const expected = text === '2026' ? 2026_000 : undefined;
      expect(retryAfterMs(text, NOW), text).toBe(expected);
    }
    expect(retryAfterMs(null, NOW)).toBeUndefined();
  });
});
