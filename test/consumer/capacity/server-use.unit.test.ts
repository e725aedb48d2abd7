import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../consumer/call/answer/outcome.ts';
import { afterUse, serverUseOf } from '../../../consumer/capacity/server-use.ts';
import type { TaskError } from '../../../shared/task/attempt.ts';

const NOW = Date.UTC(2026, 10, 24);
const failed = (error: Partial<TaskError>): TaskError => ({ class: 'http', message: '', ...error });
const deferred = (
  reason: 'rate-limited' | 'backend-busy' | 'key-refused' | 'unreachable',
  retryAfterMs?: number,
): Outcome => ({
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

describe('the task of a server that cannot take it', () => {
  const busy = deferred('backend-busy', 60_000);
  const registered = { service: 'ocr', servers: 1, deferrals: 0, isLimitedAsService: false };

  it('looks for another server at once, where there is one', () => {
    expect(afterUse(busy, { outcome: 'busy' }, { ...registered, servers: 2 })).toMatchObject({
      retryAfterMs: undefined,
    });
  });

  it('waits for it where there is none', () => {
    expect(afterUse(busy, { outcome: 'busy' }, registered)).toEqual(busy);
  });

  it('does not wait for a server when the limit is a key of its own', () => {
    const limited = deferred('rate-limited', 60_000);
    expect(afterUse(limited, { outcome: 'answered' }, { ...registered, servers: 2 })).toEqual(limited);
  });

  it('stands in line while nobody is there', () => {
    const gone = deferred('unreachable');
    expect(afterUse(gone, { outcome: 'unreachable' }, registered)).toMatchObject({ park: { line: 'service:ocr' } });
  });
});

describe('the task of a service at a fixed address, without keys, that is refused', () => {
  const fixed = { service: 'ocr', servers: 1, deferrals: 0, isLimitedAsService: true };
  const refused = (httpStatus: number, retryAfterMs?: number) => ({
    ...deferred('rate-limited', retryAfterMs),
    error: failed({ httpStatus }),
  });
  const parkOf = (outcome: Outcome, deferrals = 0) => {
    const after = afterUse(outcome, { outcome: 'busy' }, { ...fixed, deferrals });
    return after.kind === 'deferred' ? after.park : undefined;
  };

  it('stands in its line, whose owner knows when there is room again', () => {
    for (const outcome of [refused(429), refused(429, 2_000), refused(503, 600_000)]) {
      expect(parkOf(outcome)).toEqual({ line: 'service:ocr', isBehind: false });
    }
  });

  it('lets a few go before it when it is refused again, and then returns by itself', () => {
    expect([1, 2].map((deferrals) => parkOf(refused(429), deferrals)?.isBehind)).toEqual([true, true]);
    expect(parkOf(refused(429), 3)).toBeUndefined();
  });

  it('keeps for itself to a time that is longer than the service is left alone for', () => {
    expect(parkOf(refused(429, 601_000))).toBeUndefined();
  });

  it('returns by itself where a rule of the service defers it for what it says', () => {
    expect(parkOf(refused(409))).toBeUndefined();
  });
});
