import { describe, expect, it } from 'vitest';
import { timesOf, timingOf } from '../../../producer/submission/start-time.ts';

const NOW = Date.UTC(2026, 10, 27, 8);
const HOUR = 3600_000;

function times(said: Parameters<typeof timingOf>[0]) {
  const read = timingOf(said, 60, NOW);
  if (!read.ok) throw new Error(read.refusal.details.detail);
  return timesOf(read.timing, NOW);
}

const faultOf = (said: Parameters<typeof timingOf>[0]) => {
  const read = timingOf(said, 60, NOW);
  return read.ok ? undefined : read.refusal.details.errors?.[0]?.field;
};

describe('a task', () => {
  it('that says nothing starts at once and has the deadline of its service', () => {
    expect(times({})).toEqual({ deadlineAt: NOW + 60_000 });
  });

  it('that is delayed counts its deadline from its start', () => {
    expect(times({ delaySeconds: 90 })).toEqual({ runAt: NOW + 90_000, deadlineAt: NOW + 150_000 });
    expect(times({ runAt: '2026-11-27T10:00:00+01:00', ttlSeconds: 5 })).toEqual({
      runAt: NOW + HOUR,
      deadlineAt: NOW + HOUR + 5_000,
    });
  });

  it('may start years from now', () => {
    expect(times({ runAt: '2031-11-27T08:00:00Z' }).runAt).toBe(Date.UTC(2031, 10, 27, 8));
  });

  it('whose time has passed starts at once', () => {
    expect(times({ runAt: '2020-01-01T00:00:00Z' })).toEqual({ deadlineAt: NOW + 60_000 });
    expect(times({ delaySeconds: 0 })).toEqual({ deadlineAt: NOW + 60_000 });
  });

  it('may name its deadline, after its start and within seven days of it', () => {
    expect(times({ delaySeconds: 60, deadline: '2026-11-27T08:02:00Z' }).deadlineAt).toBe(NOW + 120_000);
    expect(faultOf({ delaySeconds: 60, deadline: '2026-11-27T08:01:00Z' })).toBe('/deadline');
    expect(faultOf({ deadline: '2026-11-27T07:59:59Z' })).toBe('/deadline');
    expect(faultOf({ deadline: '2026-12-05T08:00:00Z' })).toBe('/deadline');
    expect(faultOf({ runAt: '2026-12-01T08:00:00Z', deadline: '2026-12-05T08:00:00Z' })).toBeUndefined();
  });

  it('says each time in one way', () => {
    expect(faultOf({ delaySeconds: 1, runAt: '2026-11-27T09:00:00Z' })).toBe('/runAt');
    expect(faultOf({ ttlSeconds: 1, deadlineSeconds: 1 })).toBe('/ttlSeconds');
    expect(faultOf({ ttlSeconds: 1, deadline: '2026-11-27T09:00:00Z' })).toBe('/deadline');
  });
});
