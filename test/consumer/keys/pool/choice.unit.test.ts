import { expect, test } from 'vitest';
import type { KeyFeedback } from '../../../../consumer/keys/pool/feedback.ts';
import { lease } from '../../../../consumer/keys/pool/lease.ts';
import { type ConfiguredLimits, Pool } from '../../../../consumer/keys/pool/pool.ts';
import { release } from '../../../../consumer/keys/pool/release.ts';

const START = 1_000_000;
const CALLS = 300;
const REQUEST = {
  isBrief: true,
  members: ['aaaaaaaa', 'bbbbbbbb', 'cccccccc'].map((fingerprint, index) => ({ number: index + 1, fingerprint })),
  shard: 0,
  otherShards: [],
};

/**
 * Asks for a key twice a second, through three keys of which no limit is known.
 * @param laterOf what the calls of the first key say once ten have worked; undefined: nothing, they go on
 * @returns how many calls got a key
 */
function keysOf(laterOf: KeyFeedback | undefined, configured: ConfiguredLimits = {}): number {
  const pool = new Pool('llm');
  let granted = 0;
  let ofFirst = 0;
  for (let index = 0; index < CALLS; index++) {
    const now = START + index * 500;
    const task = `tsk_${index}`;
    const calls = [{ task, isInTurn: true, neverParks: true }];
    const [key] = lease(pool, { ...REQUEST, configured, leaseId: task, expiresAt: now + 900_000, calls }, now);
    if (typeof key !== 'number') continue;
    granted += 1;
    const feedback: KeyFeedback | undefined = key === 1 && ++ofFirst > 10 ? laterOf : { kind: 'worked' };
    if (feedback !== undefined) release(pool, { leaseId: task, reports: [{ task, feedback }] }, now + 100);
  }
  return granted;
}

test('the key that goes ahead holds the others back no longer when its quota is used up for hours', () => {
  expect(keysOf({ kind: 'limited', quota: true, resetAt: undefined })).toBeGreaterThanOrEqual(CALLS - 5);
});

test('nor while its one call at a time takes minutes', () => {
  expect(keysOf(undefined, { concurrency: 1 })).toBeGreaterThanOrEqual(CALLS - 5);
});

test('nor when it is refused for this kind of call', () => {
  expect(keysOf({ kind: 'refused', about: 'bucket', httpStatus: 403 })).toBeGreaterThanOrEqual(CALLS - 5);
});
