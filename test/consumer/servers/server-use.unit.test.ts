import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../consumer/call/outcome.ts';
import { serverUseOf, withOtherServers } from '../../../consumer/capacity/server-use.ts';
import type { TaskError } from '../../../shared/task/attempt.ts';

const NOW = Date.UTC(2026, 10, 24);
const failed = (error: Partial<TaskError>): TaskError => ({ class: 'http', message: '', ...error });
const deferred = (reason: 'rate-limited' | 'backend-busy' | 'key-refused', retryAfterMs?: number): Outcome => ({
  kind: 'deferred',
  reason,
  retryAfterMs,
});
const retryable = (error: Partial<TaskError>): Outcome => ({
  kind: 'retryable',
  error: failed(error),
  retryAfterMs: undefined,
});
const permanent = (error: Partial<TaskError>): Outcome => ({ kind: 'permanent', error: failed(error) });

describe('what a call says of its server', () => {
  it.each<[string, Outcome, string]>([
    ['a result', { kind: 'succeeded', result: undefined }, 'answered'],
    ['a 202', { kind: 'accepted' }, 'answered'],
    ['a 400', permanent({ httpStatus: 400 }), 'answered'],
    ['a 408', retryable({ httpStatus: 408 }), 'answered'],
    ['an answer that is too large', permanent({ class: 'result-too-large', httpStatus: 200 }), 'answered'],
    ['a 500', retryable({ httpStatus: 500 }), 'failed'],
    ['a 501 that says not to retry', permanent({ httpStatus: 501 }), 'failed'],
    ['a time-out', retryable({ class: 'timeout' }), 'failed'],
    ['a broken connection', retryable({ class: 'network' }), 'failed'],
    ['a task that was cancelled', permanent({ class: 'network' }), 'unused'],
  ])('%s', (_, outcome, expected) => {
    expect(serverUseOf(outcome, true, false, NOW)).toEqual({ outcome: expected });
  });

  it('busy until it said, where it said it', () => {
    expect(serverUseOf(deferred('rate-limited', 7_000), true, false, NOW)).toEqual({
      outcome: 'busy',
      busyUntil: NOW + 7_000,
    });
    expect(serverUseOf(deferred('backend-busy'), true, true, NOW)).toEqual({ outcome: 'busy' });
  });

  it("a key's limit or refusal is not the server's", () => {
    expect(serverUseOf(deferred('rate-limited', 7_000), true, true, NOW)).toEqual({ outcome: 'answered' });
    expect(serverUseOf(deferred('key-refused'), true, true, NOW)).toEqual({ outcome: 'answered' });
  });

  it('nothing when it was not called', () => {
    expect(serverUseOf(deferred('rate-limited'), false, false, NOW)).toEqual({ outcome: 'unused' });
  });
});

describe('the task of a busy server', () => {
  const busy = deferred('backend-busy', 60_000);

  it('looks for another server at once, where there is one', () => {
    expect(withOtherServers(busy, { outcome: 'busy' }, 2)).toMatchObject({ retryAfterMs: undefined });
  });

  it('waits for it where there is none', () => {
    expect(withOtherServers(busy, { outcome: 'busy' }, 1)).toBe(busy);
    expect(withOtherServers(deferred('rate-limited', 60_000), { outcome: 'answered' }, 2)).toMatchObject({
      retryAfterMs: 60_000,
    });
  });
});
