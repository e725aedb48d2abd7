import { describe, expect, it } from 'vitest';
import { planKeys } from '../../deploy/key-plan.ts';

const keys = (count: number, prefix = 'KEY') => Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);

describe('which shard holds which keys', () => {
  it('puts eight of a pool on each shard, in the order of their numbers', () => {
    const { shards, variables, shardsOfPool } = planKeys([...keys(20).reverse(), 'PATH', 'KEY_POOL']);
    expect(shards).toBe(3);
    expect(variables.map((own) => own.length)).toEqual([8, 8, 4]);
    expect(variables[0]).toEqual(keys(8));
    expect(shardsOfPool).toEqual({ default: [0, 1, 2] });
  });

  it('leaves keys where they are when others are added', () => {
    const before = planKeys(keys(12)).variables;
    const after = planKeys(keys(25)).variables;
    expect(after[0]).toEqual(before[0]);
    expect(after[1]).toEqual(expect.arrayContaining([...(before[1] ?? [])]));
  });

  it('makes as many shards as the largest pool needs, and one at least', () => {
    const { shards, variables, shardsOfPool } = planKeys([...keys(9), ...keys(2, 'KEY_GEMINI_')]);
    expect(shards).toBe(2);
    expect(variables[0]).toContain('KEY_GEMINI_2');
    expect(shardsOfPool).toEqual({ default: [0, 1], gemini: [0] });
    expect(planKeys([])).toEqual({ shards: 1, variables: [[]], shardsOfPool: {} });
  });

  it('spreads them over a number of shards that is given, all on one in a preview', () => {
    expect(planKeys(keys(20), 1).variables.map((own) => own.length)).toEqual([20]);
    expect(planKeys(keys(4), 2).variables).toEqual([
      ['KEY1', 'KEY2'],
      ['KEY3', 'KEY4'],
    ]);
    expect(planKeys(keys(2), 3).variables).toEqual([['KEY1'], ['KEY2'], []]);
  });
});
