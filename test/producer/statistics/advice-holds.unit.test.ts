/** The advice beside what comes true: limiter and pool are the real code, in virtual time. */
import { describe, expect, it } from 'vitest';
import type { Limits } from '../../../bench/capacity/provider.ts';
import { type Result, simulate } from '../../../bench/capacity/simulation.ts';
import { adviseOnKeys } from '../../../producer/statistics/advice.ts';

const TASKS = 900;
/** What a fifth is to somebody who decides whether to buy keys. */
const TOLERANCE = 0.2;

const fixed: Limits = { kind: 'fixed', limit: 30, windowMs: 60_000, tells: true };

const run = (limits: Limits, keys: readonly number[], tasks: number): Result =>
  simulate({ limits, keys, latencyMs: 400, tasks: Array.from({ length: tasks }, () => ({ arrivesAt: 0 })) }, 7);

const SHARDS = 2;

/** What is shown once a third of the line has moved and each shard has said its part of the pace. */
function shownOf({ rates }: Result) {
  const saidBy = (at: number) => new Set(rates.filter((rate) => rate.at <= at).map(({ shard }) => shard)).size;
  const seen = rates.find(({ at, left }) => left < (TASKS * 2) / 3 && saidBy(at) === SHARDS);
  if (seen === undefined) throw new Error('nobody said the pace');
  const byShard = new Map(rates.filter(({ at }) => at <= seen.at).map(({ shard, perSecond }) => [shard, perSecond]));
  const perSecond = [...byShard.values()].reduce((sum, each) => sum + each, 0);
  return { at: seen.at, left: seen.left, perSecond };
}

describe('advice on keys', () => {
  it.each([
    ['told', fixed],
    ['learnt from refusals', { ...fixed, tells: false } as Limits],
  ])('comes true where limits are %s: the end, and the end with two more keys', (_, limits) => {
    const result = run(limits, [2, 2], TASKS);
    const { at, left, perSecond } = shownOf(result);
    const emptyAt = new Date(at + (left / perSecond) * 1_000).toISOString();
    const oldestAt = new Date(0).toISOString();
    const line = { line: 'pool:a', pool: 'a', tasks: left, isCounted: true, oldestAt, reasons: {}, services: ['s'] };
    const [advice] = adviseOnKeys([{ ...line, perSecond, emptyAt }], new Map([['a', 4]]), at);
    if (advice?.kind !== 'keys') throw new Error('no advice was given');
    const off = (saidAt: string, cameMs: number) => Math.abs(Date.parse(saidAt) - at - cameMs) / cameMs;
    expect(off(advice.emptyAt, result.ms - at)).toBeLessThan(TOLERANCE);
    // The same tasks, with the keys that were advised.
    expect(off(advice.soonerAt, run(limits, [3, 3], left).ms)).toBeLessThan(TOLERANCE);
  });
});
