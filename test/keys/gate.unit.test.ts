import { expect, it } from 'vitest';
import { afterOneStart, gateOf } from '../../consumer/keys/pool/gate.ts';
import { emptyPool, newQuota } from '../../consumer/keys/pool/pool.ts';
import { addStarts } from '../../shared/pace/start-log.ts';
import { seededRandom, T0 } from './simulation.ts';

it('after a call has started, a gate with room left is what counting all limits again would say', () => {
  const random = seededRandom(7);
  const below = (most: number) => Math.floor(random() * most);
  let compared = 0;
  for (let round = 0; round < 2_000; round++) {
    const pool = emptyPool();
    const quota = newQuota('quota');
    pool.proven = 1 + below(40);
    pool.scout = below(2) === 0 ? quota.id : undefined;
    pool.gapMs = below(4) === 0 ? 50 : 0;
    pool.limitedAt = below(2) === 0 ? T0 - 1_000 : 0;
    if (below(2) === 0) pool.configured = { requestsPerMinute: 1 + below(60), tokensPerMinute: 1_000 };
    quota.tokensPerCall = below(100);
    quota.inFlight = below(10);
    if (below(2) === 0)
      quota.requests = { limit: 60, remaining: below(60), resetAt: T0 + below(2_000) - 1_000, windowMs: 60_000 };
    if (below(2) === 0) quota.tokens = { limit: 900, remaining: below(900), resetAt: T0 + 5_000, windowMs: 60_000 };
    for (let start = below(30); start > 0; start--) addStarts(quota.starts, T0 - below(90_000), 1);
    for (let promise = below(4) === 0 ? below(8) : 0; promise > 0; promise--)
      addStarts(quota.promised, T0 + below(90_000) - 20_000, 1);

    const expected = afterOneStart(quota, gateOf(pool, quota, T0));
    if (expected === undefined) continue;
    addStarts(quota.starts, T0, 1);
    quota.inFlight += 1;
    quota.lastStartAt = T0;
    const { thenAt, ...counted } = gateOf(pool, quota, T0);
    expect(expected).toMatchObject(counted);
    // The first start of a window is noted in steps.
    expect(Math.abs(expected.thenAt - thenAt)).toBeLessThanOrEqual(100);
    compared += 1;
  }
  expect(compared).toBeGreaterThan(300);
});
