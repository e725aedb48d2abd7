import { expect, test } from 'vitest';
import { Limiter } from '../../../shared/capacity/limiter.ts';

test('what is told beside answers is what the latest call left of the window, in whatever order the answers come', () => {
  const limiter = new Limiter();
  for (let call = 0; call < 5; call++) limiter.start(0);
  for (const [ticket, remaining] of [2, 0, 4, 1, 3].entries()) {
    limiter.end(ticket + 1, { kind: 'let-in' }, 50);
    limiter.tell('requests', { limit: 5, remaining, resetAt: 10_000 + ticket }, 50);
  }
  expect(limiter.nextAt(60)).toBe(10_004);
  // The next window has a count of its own.
  limiter.end(limiter.start(10_004), { kind: 'let-in' }, 10_054);
  limiter.tell('requests', { limit: 5, remaining: 4, resetAt: 20_004 }, 10_054);
  expect(limiter.nextAt(10_060)).toBe(10_060);
});

test('a bucket that is full again later with each call is waited for until then, in whatever order its answers come', () => {
  const limiter = new Limiter();
  for (let call = 0; call < 5; call++) limiter.start(0);
  // Full again in whole seconds: of the latest call after five, of the others sooner.
  for (const [ticket, remaining] of [1, 0, 4, 2, 3].entries()) {
    limiter.end(ticket + 1, { kind: 'let-in' }, 50);
    limiter.tell('requests', { limit: 5, remaining, resetAt: (5 - remaining) * 1_000 }, 50);
  }
  expect(limiter.nextAt(60)).toBe(5_000);
});
