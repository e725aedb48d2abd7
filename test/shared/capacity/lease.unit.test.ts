import { expect, test } from 'vitest';
import { type LeaseAnswer, type LeaseRequest, waitsInPlace } from '../../../shared/capacity/lease.ts';

test('a call waits in place for a moment, and in line for anything longer', () => {
  type Kind = LeaseAnswer<LeaseRequest>['kind'];
  const answer = (at: number): Kind => (waitsInPlace(at, 1_000) ? 'start-at' : 'park');
  expect(answer(900)).toBe('start-at');
  expect(answer(3_000)).toBe('start-at');
  expect(answer(3_001)).toBe('park');
  expect(answer(Number.POSITIVE_INFINITY)).toBe('park');
});
