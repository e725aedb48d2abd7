import { describe, expect, it } from 'vitest';
import {
  deferralDelayMs,
  doublingDelayMs,
  fallbackDelayMs,
  retryDelayMs,
  wholeSeconds,
} from '../../../shared/task/backoff.ts';

const POLICY = { maxAttempts: 8, baseSeconds: 2, capSeconds: 60 };
const ALMOST_ONE = 1 - 2 ** -53;

describe('retryDelayMs: full jitter', () => {
  it('reaches from nothing to base × 2^(attempt − 1), up to the cap', () => {
    const ceilings = [1, 2, 3, 4, 5, 6, 7, 50].map((attempt) => retryDelayMs(POLICY, attempt, ALMOST_ONE) / 1000);
    expect(ceilings).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
    expect(retryDelayMs(POLICY, 5, 0)).toBe(0);
  });

  it('is uniform between', () => {
    expect(retryDelayMs(POLICY, 5, 0.5)).toBe(16_000);
    expect(retryDelayMs(POLICY, 5, 0.25)).toBe(8_000);
  });

  it('is never below what the backend asked for, nor cut by the cap then', () => {
    expect(retryDelayMs(POLICY, 1, 0, 90_000)).toBe(90_000);
    expect(retryDelayMs(POLICY, 1, ALMOST_ONE, 90_000)).toBe(99_000);
    expect(retryDelayMs(POLICY, 6, ALMOST_ONE, 500)).toBe(60_000);
  });

  it('is whole seconds, rounded up', () => {
    expect(retryDelayMs(POLICY, 1, 0.1)).toBe(1_000);
    expect(retryDelayMs(POLICY, 1, 0, 1_001)).toBe(2_000);
  });

  it('is nothing for a base of nothing, also late', () => {
    expect(retryDelayMs({ ...POLICY, baseSeconds: 0 }, 100, ALMOST_ONE)).toBe(0);
  });
});

describe('deferralDelayMs', () => {
  it('has a floor that doubles up to five minutes (rule R18)', () => {
    const floors = [0, 1, 2, 3, 7, 8, 9, 1000].map((deferrals) => deferralDelayMs(deferrals, 0) / 1000);
    expect(floors).toEqual([1, 2, 4, 8, 128, 256, 300, 300]);
  });

  it.each([1, 200, 1_000, 2_500, 30_000, 3600_000])('keeps a stated %i ms, however often it is stated', (statedMs) => {
    for (const deferrals of [0, 1, 9, 1000]) {
      const delays = [0, 0.25, 0.5, 0.75, ALMOST_ONE].map((random) => deferralDelayMs(deferrals, random, statedMs));
      for (const delayMs of delays) {
        expect(delayMs).toBeGreaterThanOrEqual(Math.max(1_000, statedMs));
        expect(delayMs).toBeLessThanOrEqual(Math.max(1_000, wholeSeconds(statedMs)) + 10_000);
      }
    }
  });

  it('spreads tasks that were told the same second over several', () => {
    const told = (retryAfterMs?: number) =>
      Array.from({ length: 200 }, (_, index) => deferralDelayMs(0, index / 200, retryAfterMs));
    expect(new Set(told(1_000))).toEqual(new Set([1_000, 2_000, 3_000, 4_000]));
    expect(new Set(told(60_000)).size).toBe(7);
    expect(new Set(told()).size).toBe(3);
  });
});

describe('doublingDelayMs', () => {
  it('doubles up to its cap and never overflows', () => {
    expect([0, 1, 2, 10, 10_000].map((times) => doublingDelayMs(2_000, times, 600_000))).toEqual([
      2_000, 4_000, 8_000, 600_000, 600_000,
    ]);
  });
});

describe('fallbackDelayMs: of a task that stands in line', () => {
  it('grows from a minute to an hour with each time that it was deferred', () => {
    const minutes = [0, 1, 2, 5, 6, 100].map((deferrals) => fallbackDelayMs(deferrals) / 60_000);
    expect(minutes).toEqual([1, 2, 4, 32, 60, 60]);
  });

  it('is no shorter than what is known to be waited for', () => {
    expect(fallbackDelayMs(0, 7_200_500)).toBe(7_201_000);
  });
});

describe('wholeSeconds', () => {
  it('rounds up', () => {
    expect([0, 1, 999, 1_000, 1_001].map(wholeSeconds)).toEqual([0, 1_000, 1_000, 1_000, 2_000]);
  });
});
