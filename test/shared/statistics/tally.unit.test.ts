import { describe, expect, it } from 'vitest';
import { type Counter, counterOf, deferralsByReason, emptyTally } from '../../../shared/statistics/tally.ts';

const row = emptyTally('service', 'ocr', 490_000);

describe('numbers that an earlier release wrote', () => {
  it('are read as what they were: counters have kept their order', () => {
    const written: Readonly<Record<Counter, number>> = {
      started: 1,
      attempts: 2,
      failedAttempts: 3,
      succeeded: 4,
      failed: 5,
      cancelled: 6,
      expired: 7,
      callMs: 8,
      startMs: 9,
      totalMs: 10,
    };
    const tally = { ...row, counts: Object.values(written) };
    for (const [counter, count] of Object.entries(written)) expect(counterOf(tally, counter as Counter)).toBe(count);
  });

  it('are read as what they were: so have reasons', () => {
    const written = {
      'rate-limited': 1,
      'backend-busy': 2,
      'no-key': 3,
      'no-server': 4,
      'server-busy': 5,
      unreachable: 6,
      paused: 7,
      'key-refused': 8,
      'lease-too-short': 9,
      'not-started': 10,
      misconfigured: 11,
      'flow-limited': 12,
    };
    expect(deferralsByReason({ deferrals: Object.values(written) })).toEqual(written);
  });

  it('may be fewer than are counted now', () => {
    expect(counterOf({ ...row, counts: [1] }, 'callMs')).toBe(0);
  });
});
