import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../consumer/call/answer/outcome.ts';
import { type Attempted, type Call, settlementOf } from '../../../consumer/call/call.ts';
import { SettlementSchema } from '../../../shared/ledger/contract.ts';
import type { TaskError } from '../../../shared/task/attempt.ts';

const NOW = Date.UTC(2026, 10, 20);
const ID = `tsk_${'0'.repeat(32)}`;
const ERROR: TaskError = { class: 'http', httpStatus: 500, message: 'The backend answered 500.' };

const CALL: Call = {
  id: ID,
  service: 'ocr',
  request: {},
  callbackToken: '',
  state: {
    status: 'running',
    run: 5,
    deferrals: 2,
    attemptsOffset: 1,
    policy: { maxAttempts: 8, baseSeconds: 2, capSeconds: 60 },
    deadlineAt: NOW + 3600_000,
    leaseUntil: NOW + 61_000,
  },
};

function settle(outcome: Outcome) {
  const attempted: Attempted = { outcome, startedAt: NOW, endedAt: NOW + 250, server: 'ocr.example' };
  const settlement = settlementOf(CALL, attempted, 600_000, 0.5);
  // What is settled crosses RPC and is parsed there.
  expect(SettlementSchema.parse(structuredClone(settlement))).toEqual(settlement);
  return settlement;
}

const recorded = { run: 5, attempt: 3, startedAt: NOW, endedAt: NOW + 250, server: 'ocr.example' };

describe('settlementOf', () => {
  it('a success carries its result and says where it was made', () => {
    const result = { type: 'text/plain', encoding: 'text', text: 'ok' } as const;
    expect(settle({ kind: 'succeeded', result })).toEqual({
      id: ID,
      state: CALL.state,
      event: { type: 'succeed', at: NOW + 250, run: 5 },
      record: { ...recorded, outcome: 'succeeded' },
      result,
    });
    expect('result' in settle({ kind: 'succeeded', result: undefined })).toBe(false);
  });

  it('a 202 waits for as long as the service says', () => {
    expect(settle({ kind: 'accepted' })).toMatchObject({
      event: { type: 'accept', run: 5, callbackTimeoutMs: 600_000 },
    });
  });

  it('a failure waits for its backoff: of the attempts used, not of the runs', () => {
    expect(settle({ kind: 'retryable', error: ERROR, retryAfterMs: undefined })).toMatchObject({
      event: { type: 'fail', retryable: true, delayMs: 2_000 },
      error: ERROR,
      record: { ...recorded, outcome: 'failed', error: ERROR, delayMs: 2_000, delayReason: 'backoff' },
    });
    expect(settle({ kind: 'retryable', error: ERROR, retryAfterMs: 40_000 })).toMatchObject({
      event: { delayMs: 42_000 },
      record: { delayMs: 42_000, delayReason: 'retry-after' },
    });
  });

  it('a deferral waits for its floor, or for what was asked', () => {
    expect(settle({ kind: 'deferred', reason: 'rate-limited', retryAfterMs: 0 })).toMatchObject({
      event: { type: 'defer', reason: 'rate-limited', delayMs: 5_000 },
      record: { ...recorded, outcome: 'deferred', reason: 'rate-limited', delayReason: 'minimum pause' },
    });
    expect(settle({ kind: 'deferred', reason: 'backend-busy', retryAfterMs: 60_000, error: ERROR })).toMatchObject({
      event: { type: 'defer', delayMs: 63_000 },
      record: { delayReason: 'retry-after', error: ERROR },
    });
  });

  it('a deferral to a line keeps when that opens, where it is known, beside its fallback', () => {
    const park = { line: 'pool:default' };
    const known = settle({ kind: 'deferred', reason: 'no-key', retryAfterMs: 30_000, park });
    expect(known).toMatchObject({ event: { delayMs: 240_000 }, record: { opensAt: NOW + 30_250 } });
    const unknown = settle({ kind: 'deferred', reason: 'no-key', retryAfterMs: undefined, park });
    for (const { record } of [unknown, settle({ kind: 'deferred', reason: 'rate-limited', retryAfterMs: 5_000 })]) {
      expect(record).not.toHaveProperty('opensAt');
    }
  });

  it('a permanent failure has no next time', () => {
    const settlement = settle({ kind: 'permanent', error: ERROR });
    expect(settlement).toMatchObject({ event: { type: 'fail', retryable: false, delayMs: 0 }, error: ERROR });
    expect(settlement.record).toEqual({ ...recorded, outcome: 'failed', error: ERROR });
  });
});
