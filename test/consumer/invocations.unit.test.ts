import { describe, expect, it } from 'vitest';
import {
  boundCallsBeside,
  MAX_INVOCATIONS,
  MAX_LEDGER_SESSIONS,
  MAX_TOLD_BOUND,
  sliceCount,
} from '../../consumer/call/invocations.ts';

const MAX_BATCH = 100;

describe('the 32 invocations of one batch', () => {
  it('are enough for whatever a batch of 100 holds', () => {
    for (let fetched = 0; fetched <= MAX_BATCH; fetched++) {
      const bound = Math.min(MAX_BATCH - fetched, boundCallsBeside(fetched));
      const all = MAX_LEDGER_SESSIONS + MAX_TOLD_BOUND + sliceCount(fetched) + bound;
      expect(all, `${fetched} fetched`).toBeLessThanOrEqual(MAX_INVOCATIONS);
    }
  });

  it('always leave room for bound calls, so that none waits for ever', () => {
    expect(boundCallsBeside(MAX_BATCH - 1)).toBeGreaterThan(0);
  });

  it('the first six run beside the batch, the others in slices', () => {
    expect([0, 1, 6, 7, 12, 13, 100].map(sliceCount)).toEqual([0, 0, 0, 1, 1, 2, 16]);
  });
});
