import { describe, expect, it } from 'vitest';
import { callTimeoutMs, leaseMs } from '../../../consumer/call/lease.ts';

const NOW = Date.UTC(2026, 10, 20);
const HOUR_MS = 3600_000;

describe('the lease and the call inside it (rules R4 and R14)', () => {
  it('a call that starts at once has its full time-out, and half a minute is left to record it', () => {
    const leaseUntil = NOW + leaseMs(30_000);
    expect(callTimeoutMs(30_000, { leaseUntil, deadlineAt: NOW + HOUR_MS }, NOW)).toBe(30_000);
    expect(leaseUntil - (NOW + 30_000)).toBeGreaterThanOrEqual(30_000);
  });

  it('a call that could outlast the lease is not started', () => {
    const leaseUntil = NOW + 31_000;
    const state = { leaseUntil, deadlineAt: NOW + HOUR_MS };
    expect(callTimeoutMs(30_000, state, NOW)).toBe(30_000);
    expect(callTimeoutMs(30_000, state, NOW + 1)).toBeUndefined();
  });

  it('a call ends at the deadline', () => {
    const state = { leaseUntil: NOW + 61_000, deadlineAt: NOW + 10_000 };
    expect(callTimeoutMs(30_000, state, NOW)).toBe(10_000);
    expect(callTimeoutMs(30_000, state, NOW + 9_999)).toBe(1);
  });

  it('a call whose deadline has passed since the claim is not started', () => {
    const state = { leaseUntil: NOW + 61_000, deadlineAt: NOW + 10_000 };
    expect(callTimeoutMs(30_000, state, NOW + 10_000)).toBeUndefined();
    expect(callTimeoutMs(30_000, state, NOW + 20_000)).toBeUndefined();
  });
});
