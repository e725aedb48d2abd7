/** A flood of slow tasks on one shard, and what it costs the quick tasks of another service. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../../bench/batches/virtual-clock.ts';
import { INVOCATIONS, SHARE, Shard } from './shard.ts';

const SLOW_MS = 300_000;
const CALL_MS = { slow: SLOW_MS, quick: 50 };

/** The most that a queue takes (Queues limits, "Per-queue message throughput"). */
const ARRIVALS_PER_SECOND = 5_000;
const STEP_MS = 20;

let clock: VirtualClock;
beforeEach(() => {
  for (const method of ['log', 'warn', 'error'] as const) vi.spyOn(console, method).mockImplementation(() => undefined);
  clock = new VirtualClock(Date.UTC(2026, 10, 20));
});
afterEach(() => {
  vi.restoreAllMocks();
  clock[Symbol.dispose]();
});

interface Flood {
  readonly shard: Shard;
  readonly seconds: number;
  /** So many slow tasks a second, until there are so many. */
  readonly slow: number;
  readonly perSecond: number;
}

/** Quick tasks come all the while, ten a second. @returns how long each waited for its start, ms; infinite: until the end */
async function quickWaits({ shard, seconds, slow, perSecond }: Flood): Promise<number[]> {
  let left = slow;
  let due = 0;
  for (let at = 0; at < seconds * 1000; at += STEP_MS) {
    due += (perSecond * STEP_MS) / 1000;
    for (; left > 0 && due >= 1; due--, left--) shard.submit('slow');
    if (at % 100 === 0) shard.submit('quick');
    await clock.pass(STEP_MS);
  }
  await clock.pass(2_000);
  return [...shard.rows.values()]
    .filter(({ service }) => service === 'quick')
    .map(({ startedAt = Number.POSITIVE_INFINITY, submittedAt }) => startedAt - submittedAt);
}

describe('quick tasks beside 100,000 tasks of another service that take 300 s each', () => {
  it('start within two seconds, and the slow ones keep their share of the shard', async () => {
    const shard = new Shard(CALL_MS, SHARE);
    const waits = await quickWaits({ shard, seconds: 40, slow: 100_000, perSecond: ARRIVALS_PER_SECOND });
    expect(waits).toHaveLength(400);
    expect(Math.max(...waits)).toBeLessThan(2_000);
    expect(shard.active).toBeLessThanOrEqual(SHARE + 20);
    expect(shard.running.get('slow')).toBeGreaterThan(0.5 * SHARE * 6);
  }, 120_000);

  it('would wait for minutes if one service could have the whole shard', async () => {
    const shard = new Shard(CALL_MS, undefined);
    const waits = await quickWaits({ shard, seconds: 20, slow: 5_000, perSecond: ARRIVALS_PER_SECOND });
    expect(shard.active).toBe(INVOCATIONS);
    expect(waits.filter((wait) => wait === Number.POSITIVE_INFINITY).length).toBeGreaterThan(100);
  }, 120_000);
});

describe('slow tasks that come one by one, and never pile up in the queue', () => {
  it('are counted as they last, and leave room for others before the shard is full', async () => {
    const shard = new Shard(CALL_MS, SHARE);
    const waits = await quickWaits({ shard, seconds: 120, slow: 2_400, perSecond: 20 });
    expect(Math.max(...waits)).toBeLessThan(2_000);
    expect(shard.active).toBeLessThanOrEqual(SHARE + 20);
  }, 120_000);
});
