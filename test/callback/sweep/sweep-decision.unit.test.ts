import { describe, expect, it } from 'vitest';
import { decideSweep } from '../../../callback/sweep/sweep-decision.ts';
import { graceMs } from '../../../shared/task/backoff.ts';
import { MAX_QUEUE_DELAY_MS } from '../../../shared/task/disposition.ts';
import type { Counters } from '../../../shared/task/state.ts';

const NOW = Date.UTC(2026, 10, 20);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const COUNTERS: Counters = {
  run: 1,
  deferrals: 0,
  attemptsOffset: 0,
  policy: { maxAttempts: 3, baseSeconds: 2, capSeconds: 60 },
  deadlineAt: NOW + 7 * 24 * HOUR_MS,
};
const past = { ...COUNTERS, deadlineAt: NOW };

describe('decideSweep', () => {
  it('wakes a queued task now, and looks again after its grace', () => {
    const state = { ...COUNTERS, status: 'queued' } as const;
    expect(decideSweep(state, 0, NOW, 0)).toEqual({ next: state, dueAt: NOW + MINUTE_MS, sends: 1, wakeDelayMs: 0 });
  });

  it('looks again before it wakes, later with each wake-up that had no effect', () => {
    const state = { ...COUNTERS, status: 'queued' } as const;
    const graces = [0, 1, 2, 3, 5, 6, 100].map((sends) => {
      const { dueAt, sends: next } = decideSweep(state, sends, NOW, 0);
      expect(next).toBe(sends + 1);
      return ((dueAt ?? 0) - NOW) / MINUTE_MS;
    });
    expect(graces).toEqual([1, 2, 4, 8, 32, 60, 60]);
  });

  it('wakes a task for its next time, when the queue can carry the delay', () => {
    for (const status of ['scheduled', 'retrying'] as const) {
      const state = { ...COUNTERS, status, nextAt: NOW + HOUR_MS };
      expect(decideSweep(state, 0, NOW, 0)).toEqual({
        next: state,
        dueAt: NOW + HOUR_MS + MINUTE_MS,
        sends: 1,
        wakeDelayMs: HOUR_MS,
      });
    }
  });

  it('keeps a task that is due beyond the longest delay, until the queue can carry it', () => {
    const nextAt = NOW + MAX_QUEUE_DELAY_MS + HOUR_MS;
    const state = { ...COUNTERS, status: 'scheduled', nextAt } as const;
    expect(decideSweep(state, 0, NOW, 0)).toEqual({
      next: state,
      dueAt: NOW + HOUR_MS,
      sends: 0,
      wakeDelayMs: undefined,
    });
  });

  it('leaves a live run alone until its lease ends, past its deadline too', () => {
    for (const counters of [COUNTERS, past]) {
      const state = { ...counters, status: 'running', leaseUntil: NOW + 30_000 } as const;
      expect(decideSweep(state, 0, NOW, 0)).toEqual({
        next: state,
        dueAt: NOW + 30_000,
        sends: 0,
        wakeDelayMs: undefined,
      });
    }
  });

  it('wakes a task whose run was lost: the claim sees what is left', () => {
    const state = { ...COUNTERS, status: 'running', leaseUntil: NOW } as const;
    expect(decideSweep(state, 0, NOW, 0)).toMatchObject({ next: state, wakeDelayMs: 0, dueAt: NOW + MINUTE_MS });
  });

  it('ends what is past its deadline', () => {
    const states = [
      { ...past, status: 'queued' },
      { ...past, status: 'scheduled', nextAt: NOW + 1 },
      { ...past, status: 'running', leaseUntil: NOW },
      { ...past, status: 'waiting', callbackUntil: NOW, callbackTimeoutMs: 1 },
      { ...past, status: 'retrying', nextAt: NOW + 1 },
      { ...past, status: 'deferred', nextAt: NOW + 1, reason: 'no-key', parkedFor: undefined },
    ] as const;
    for (const state of states) {
      expect(decideSweep(state, 0, NOW, 0)).toMatchObject({
        next: { status: 'expired', finishedAt: NOW },
        dueAt: undefined,
        wakeDelayMs: undefined,
        error: { class: 'deadline' },
      });
    }
  });
});

it('decideSweep ends a parked task at its deadline', () => {
  const parked = {
    ...COUNTERS,
    status: 'deferred',
    nextAt: NOW,
    reason: 'no-server',
    parkedFor: 'service:ocr',
  } as const;
  expect(decideSweep({ ...parked, deadlineAt: NOW }, 0, NOW, 0)).toMatchObject({ next: { status: 'expired' } });
});

describe('decideSweep on an overdue callback', () => {
  const waiting = { ...COUNTERS, status: 'waiting', callbackUntil: NOW - 5_000, callbackTimeoutMs: 60_000 } as const;

  it('fails the attempt and wakes the next after its backoff', () => {
    expect(decideSweep({ ...waiting, run: 2 }, 0, NOW, 0.5)).toEqual({
      next: { ...COUNTERS, run: 2, status: 'retrying', nextAt: NOW + 2_000 },
      dueAt: NOW + 2_000 + graceMs(0),
      sends: 1,
      wakeDelayMs: 2_000,
      error: { class: 'callback-timeout', message: expect.any(String) },
      record: {
        run: 2,
        attempt: 2,
        outcome: 'failed',
        startedAt: NOW - 65_000,
        endedAt: NOW,
        error: { class: 'callback-timeout', message: expect.any(String) },
        nextAt: NOW + 2_000,
        delayMs: 2_000,
        delayReason: 'backoff',
      },
    });
  });

  it('ends the task with its last attempt', () => {
    expect(decideSweep({ ...waiting, run: 3 }, 0, NOW, 0.5)).toMatchObject({
      next: { status: 'failed' },
      dueAt: undefined,
      wakeDelayMs: undefined,
      error: { class: 'callback-timeout' },
    });
  });

  it('waits on when progress came in between', () => {
    const state = { ...waiting, callbackUntil: NOW + 1 };
    expect(decideSweep(state, 0, NOW, 0)).toMatchObject({ next: state, dueAt: NOW + 1, wakeDelayMs: undefined });
  });
});
