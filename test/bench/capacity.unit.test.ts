import { describe, expect, test } from 'vitest';
import { checkBounds } from '../../bench/capacity/bounds.ts';
import { bestOf } from '../../bench/capacity/oracle.ts';
import { ROWS } from '../../bench/capacity/rows.ts';
import { type Scenario, simulate } from '../../bench/capacity/simulation.ts';

/** A quick part of `npm run bench:capacity`: one run each. */
const QUICK = [
  'fixed 5 / 5 s, told',
  'fixed 15 / 60 s, told, slow calls',
  'sliding 10 / 10 s, told',
  'halved at 60 s: 10 to 5 / 10 s, told',
  'fixed 10 / 10 s, told in headers on 200',
  'fixed 10 / 10 s for each of two models, told',
  'two of twelve keys revoked, the first',
  'two of twelve keys revoked, in the middle',
  'fixed 10 / 60 s, told, used up at first',
  'one stray 429, silent',
  'one request too large',
  'one request too large, one of two keys revoked',
  '20 tasks refused, and one other a second',
  'one task refused, two shards of one key each',
  'all keys unpaid for a minute',
  '16 keys on two shards, one batch of 100 on one',
  '200 tasks told the same second, after 6,000',
  'backlog of an hour, queue up to 5 s late',
];

describe('keys whose limits nobody configured', () => {
  test.each(QUICK)('%s: within its bounds', (name) => {
    const row = ROWS.find((each) => each.name === name);
    if (row === undefined) throw new Error(`no row ${name}`);
    expect(checkBounds(row, [{ result: simulate(row.scenario, 1), best: bestOf(row.scenario, 1) }]).misses).toEqual([]);
  });

  // Seeds of bad luck: with tokens that were taken for a limit, with one key that all calls go to before it is refused.
  test.each([
    ['bucket 2/s burst 10, told', [1497, 1651, 1686, 5364]],
    ['200 tasks told the same second, after 6,000', [1056, 1077]],
  ])('%s: within its bounds whatever the luck', (name, seeds) => {
    const row = ROWS.find((each) => each.name === name);
    if (row === undefined) throw new Error(`no row ${name}`);
    const runs = seeds.map((seed) => ({ result: simulate(row.scenario, seed), best: bestOf(row.scenario, seed) }));
    expect(checkBounds(row, runs).misses).toEqual([]);
  });
});

/** Few tasks are the harder case: a key that refused many blames none of them. */
const FEW_TASKS = [2, 3, 5, 8, 12];
const OUTAGES_MS = [3_000, 8_000, 20_000, 60_000, 600_000];

describe.each([2, 4, 8])('%i keys that are all unpaid for a while', (keys) => {
  test.each(OUTAGES_MS)('%i ms: no task fails, however few there are', (ms) => {
    const outcomes = FEW_TASKS.flatMap((count) =>
      [1, 2, 3].flatMap((seed) => simulate(unpaidUntil(ms, keys, count), seed).tasks.map(({ outcome }) => outcome)),
    );
    expect(new Set(outcomes)).toEqual(new Set(['succeeded']));
  });
});

function unpaidUntil(ms: number, keys: number, count: number): Scenario {
  return {
    limits: { kind: 'none' },
    keys: [keys],
    latencyMs: 200,
    tasks: Array.from({ length: count }, () => ({ arrivesAt: 1_000 })),
    keyAnswer: (_key, now) => (now < ms ? { status: 402 } : undefined),
  };
}
