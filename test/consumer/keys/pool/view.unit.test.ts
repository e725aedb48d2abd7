import { expect, test } from 'vitest';
import { lease } from '../../../../consumer/keys/pool/lease.ts';
import { Pool } from '../../../../consumer/keys/pool/pool.ts';
import { release } from '../../../../consumer/keys/pool/release.ts';
import { viewOf } from '../../../../consumer/keys/pool/view.ts';

const START = 1_000_000;
const MEMBERS = [{ number: 1, fingerprint: 'aaaaaaaa' }];
const REQUEST = { isBrief: true, expiresAt: START + 600_000, members: MEMBERS, shard: 0, otherShards: [] };

test('a key whose limit is used up, as its provider told, cools until that is over', () => {
  const pool = new Pool('llm');
  lease(pool, { ...REQUEST, leaseId: 'lease-1', calls: ['tsk_a'], configured: {} }, START);
  expect(viewOf(pool, START)).toMatchObject([{ state: 'ready' }]);
  const facts = { requests: { limit: 5, remaining: 0, resetAt: START + 60_000 } };
  const reports = [{ task: 'tsk_a', feedback: { kind: 'worked' as const }, facts }];
  release(pool, { leaseId: 'lease-1', reports }, START + 10);
  expect(viewOf(pool, START + 10)).toMatchObject([{ state: 'cooling', until: START + 60_000, why: 'rate-limited' }]);
  expect(viewOf(pool, START + 60_000)).toMatchObject([{ state: 'ready' }]);
});

test('a key that is at work, or paced by its limits, is ready', () => {
  const pool = new Pool('llm');
  const configured = { concurrency: 1, requestsPerMinute: 60 };
  lease(pool, { ...REQUEST, leaseId: 'lease-1', calls: ['tsk_a'], configured }, START);
  expect(viewOf(pool, START)).toMatchObject([{ state: 'ready', inFlight: 1 }]);
  release(pool, { leaseId: 'lease-1', worked: ['tsk_a'], reports: [] }, START + 10);
  expect(viewOf(pool, START + 10)).toMatchObject([{ state: 'ready', inFlight: 0 }]);
});
