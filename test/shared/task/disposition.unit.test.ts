import { describe, expect, it } from 'vitest';
import { dispositionOf, MAX_QUEUE_DELAY_MS } from '../../../shared/task/disposition.ts';
import type { Counters } from '../../../shared/task/state.ts';
import { TERMINAL_STATUSES } from '../../../shared/task/status.ts';

const NOW = Date.UTC(2026, 10, 20);
const COUNTERS: Counters = {
  run: 1,
  deferrals: 0,
  attemptsOffset: 0,
  policy: { maxAttempts: 3, baseSeconds: 2, capSeconds: 60 },
  deadlineAt: NOW + 86_400_000,
};
const retryIn = (delayMs: number) => ({ kind: 'retry', delayMs });

describe('dispositionOf', () => {
  it('acks the message of a task that has ended', () => {
    for (const status of TERMINAL_STATUSES) {
      expect(dispositionOf({ ...COUNTERS, status, finishedAt: NOW }, undefined, NOW)).toEqual({ kind: 'ack' });
    }
  });

  it('acks what the sweeper will find, and only then (rule R1)', () => {
    const waiting = { ...COUNTERS, status: 'waiting', callbackUntil: NOW + 60_000, callbackTimeoutMs: 60_000 } as const;
    const scheduled = { ...COUNTERS, status: 'scheduled', nextAt: NOW + 60_000 } as const;
    for (const state of [waiting, scheduled]) {
      expect(dispositionOf(state, NOW + 60_000, NOW)).toEqual({ kind: 'ack' });
    }
    expect(dispositionOf(waiting, undefined, NOW)).toEqual(retryIn(1_000));
    expect(dispositionOf(scheduled, undefined, NOW)).toEqual(retryIn(60_000));
  });

  it('acks what is parked: its row wakes it (rule R20)', () => {
    const parked = {
      ...COUNTERS,
      status: 'deferred',
      nextAt: NOW + 60_000,
      reason: 'no-server',
      parkedFor: 'service:ocr',
    } as const;
    expect(dispositionOf(parked, NOW + 60_000, NOW)).toEqual({ kind: 'ack' });
    expect(dispositionOf(parked, undefined, NOW)).toEqual(retryIn(60_000));
    // A claim that is under way may take it by then, for nobody (rule R13).
    expect(dispositionOf({ ...parked, nextAt: NOW + 9_000 }, NOW + 9_000, NOW)).toEqual(retryIn(9_000));
  });

  it('retries when the row says: at the end of the lease, at the next time', () => {
    expect(dispositionOf({ ...COUNTERS, status: 'running', leaseUntil: NOW + 61_000 }, undefined, NOW)).toEqual(
      retryIn(61_000),
    );
    expect(dispositionOf({ ...COUNTERS, status: 'retrying', nextAt: NOW + 4_000 }, undefined, NOW)).toEqual(
      retryIn(4_000),
    );
    const deferred = {
      ...COUNTERS,
      status: 'deferred',
      nextAt: NOW + 9_000,
      reason: 'rate-limited',
      parkedFor: undefined,
    } as const;
    expect(dispositionOf(deferred, undefined, NOW)).toEqual(retryIn(9_000));
  });

  it('rounds up, so that a message is never early', () => {
    expect(dispositionOf({ ...COUNTERS, status: 'retrying', nextAt: NOW + 4_001 }, undefined, NOW)).toEqual(
      retryIn(5_000),
    );
  });

  it('leaves at least a second, so that a wrong clock cannot spin', () => {
    expect(dispositionOf({ ...COUNTERS, status: 'retrying', nextAt: NOW - 60_000 }, undefined, NOW)).toEqual(
      retryIn(1_000),
    );
    expect(dispositionOf({ ...COUNTERS, status: 'queued' }, undefined, NOW)).toEqual(retryIn(1_000));
  });

  it("stays within the queues' longest delay", () => {
    const far = { ...COUNTERS, status: 'retrying', nextAt: NOW + 86_400_000 } as const;
    expect(dispositionOf(far, undefined, NOW)).toEqual(retryIn(MAX_QUEUE_DELAY_MS));
  });
});
