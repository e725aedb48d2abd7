import { describe, expect, it } from 'vitest';
import { countsOf, sumOf, trendOf } from '../../../producer/statistics/summary.ts';
import { BUCKET_BOUNDS_MS } from '../../../shared/statistics/histogram.ts';
import {
  countAttempt,
  countEnd,
  countStart,
  countWait,
  emptyTally,
  hourOf,
  type Tally,
} from '../../../shared/statistics/tally.ts';

const DAY_HOURS = 24;

function tallyOf(hour: number, succeeded: number, failed = 0): Tally {
  const tally = emptyTally('service', 'ocr', hour);
  for (let task = 0; task < succeeded; task++) countEnd(tally, 'succeeded', 100);
  for (let task = 0; task < failed; task++) countEnd(tally, 'failed', 100);
  return tally;
}

describe('the trend', () => {
  const noon = Date.UTC(2026, 10, 27, 12);
  // A hundred an hour, at all hours of both days.
  const tallies = Array.from({ length: 60 }, (_, ago) => tallyOf(hourOf(noon) - ago, 100));

  it('compares as much time as has passed: at a full hour nothing of the one that begins', () => {
    for (const [minutes, expected] of [
      [0, 200],
      [15, 225],
      [59, 298],
    ] as const) {
      const at = noon + minutes * 60_000;
      expect([minutes, trendOf(tallies, at, 3, DAY_HOURS).succeeded]).toEqual([minutes, expected]);
    }
  });

  it('of one hour is of the share that has passed', () => {
    expect(trendOf(tallies, noon + 6 * 60_000, 1, DAY_HOURS).succeeded).toBe(10);
    expect(trendOf([], noon, 1, DAY_HOURS)).toEqual({ started: 0, succeeded: 0, failed: 0, expired: 0 });
  });
});

describe('counts', () => {
  it('of nothing have no rate and no latencies', () => {
    const { successRate, latency, waits } = countsOf(sumOf([]));
    expect({ successRate, latency, waits }).toEqual({ successRate: null, latency: {}, waits: {} });
  });

  it('of failures alone are a rate of none, and cancelled tasks change no rate', () => {
    const failures = tallyOf(hourOf(Date.now()), 0, 7);
    expect(countsOf(failures)).toMatchObject({ failed: 7, succeeded: 0, successRate: 0 });
    countEnd(failures, 'cancelled', 5);
    expect(countsOf(failures).successRate).toBe(0);
  });

  it('have percentiles within a factor of two of the exact ones, merged from any parts', () => {
    let state = 7;
    const random = () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return state / 2 ** 31;
    };
    const durations = Array.from({ length: 3_000 }, () => Math.round(8 + random() ** 6 * 900_000));
    const parts = Array.from({ length: 5 }, (_, at) => emptyTally('service', 'ocr', at));
    for (const [at, ms] of durations.entries()) {
      const part = parts[at % parts.length] as Tally;
      countStart(part, ms);
      countAttempt(part, ms, false);
      countWait(part, 'no-key', ms);
      countEnd(part, 'succeeded', ms);
    }
    durations.sort((a, b) => a - b);
    const { latency, waits } = countsOf(sumOf(parts));
    for (const read of [latency.acceptToStartMs, latency.callMs, latency.acceptToEndMs, waits['no-key']]) {
      for (const [name, share] of [
        ['p50', 0.5],
        ['p95', 0.95],
        ['p99', 0.99],
      ] as const) {
        const exact = durations[Math.ceil(share * durations.length) - 1] as number;
        const ratio = (read?.[name] ?? 0) / exact;
        expect([name, ratio > 0.5 && ratio < 2]).toEqual([name, true]);
      }
    }
    expect(BUCKET_BOUNDS_MS.at(-1)).toBeGreaterThan(durations.at(-1) as number);
  });
});
