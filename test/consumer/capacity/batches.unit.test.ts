/** Real batches against providers with limits that nobody told, as deployed and as in the local run. */
import { describe, expect, it } from 'vitest';
import { simulateBatches } from '../../../bench/batches/batches.ts';
import { checkBounds } from '../../../bench/capacity/bounds.ts';
import { bestOf } from '../../../bench/capacity/oracle.ts';
import { ROWS } from '../../../bench/capacity/rows.ts';

const NAMES = [
  'fixed 5 / 5 s, told',
  'fixed 10 / 10 s, silent',
  'fixed 15 / 60 s, told, slow calls',
  'sliding 10 / 10 s, told',
  'halved at 60 s: 10 to 5 / 10 s, told',
  'fixed 10 / 10 s, told in headers on 200',
  'fixed 10 / 10 s, two models on one key, told',
  'two of twelve keys revoked, the first',
  'one stray 429, silent',
  'one request too large',
  '20 tasks refused for what they say, among 20',
  'all keys unpaid for a minute',
  '16 keys on two shards, one batch of 100 on one',
];
const ROWS_OF_TEST = ROWS.filter(({ name }) => NAMES.includes(name));

describe.each([
  ['ten a batch, six calls at a time, 250 batches at once', 'deployed'],
  ['a hundred a batch, one batch at a time', 'local'],
] as const)('in batches of %s', (_, platform) => {
  it.each(ROWS_OF_TEST)('$name: near the pace of the limits', async (row) => {
    const result = await simulateBatches(row.scenario, platform, 1);
    expect(checkBounds(row, [{ result, best: undefined }]).misses).toEqual([]);
  });

  it('three calls at a time of a silent provider: keys stand idle for moments only', async () => {
    const row = ROWS.find(({ name }) => name.startsWith('3 calls at a time'));
    if (row === undefined) throw new Error('no such row');
    const result = await simulateBatches(row.scenario, platform, 1);
    // A batch ends only when its last call has, and in the local run the next one begins then.
    const bestInBatches = platform === 'local' ? bestOf(row.scenario, 1, 100) : undefined;
    expect(checkBounds(row, [{ result, best: undefined, bestInBatches }]).misses).toEqual([]);
  });
});

it('no key waits with its call for a turn: ten tasks of a batch take no more of twelve places than the six that it calls', async () => {
  const tasks = Array.from({ length: 360 }, () => ({ arrivesAt: 0 }));
  const limits = { kind: 'at-once', limit: 6 } as const;
  const { ms } = await simulateBatches({ limits, keys: [2], latencyMs: 1_000, tasks }, 'deployed', 1);
  expect(ms / (360 / 12) / 1_000).toBeLessThan(1.25);
});

it('the rows of this test are there', () => {
  expect(ROWS_OF_TEST).toHaveLength(NAMES.length);
});
