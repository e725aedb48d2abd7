import { describe, expect, it } from 'vitest';
import { type KeyPlan, planKeys } from '../../../deploy/plan/key-plan.ts';

const keys = (count: number, prefix = 'KEY') => Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);

/** Where a plan puts its keys, as an account would tell afterwards. */
const placementOf = ({ variables }: KeyPlan) =>
  new Map(variables.flatMap((own, shard) => own.map((variable) => [variable, shard] as const)));

describe('which shard holds which keys', () => {
  it('puts eight of a pool on each shard, in the order of their numbers', () => {
    const { shards, variables, shardsOfPool } = planKeys([...keys(20).reverse(), 'PATH', 'KEY_POOL']);
    expect(shards).toBe(3);
    expect(variables.map((own) => own.length)).toEqual([8, 8, 4]);
    expect(variables[0]).toEqual(keys(8));
    expect(shardsOfPool).toEqual({ default: [0, 1, 2] });
  });

  it('makes as many shards as the largest pool needs, and one at least', () => {
    const { shards, variables, shardsOfPool } = planKeys([...keys(9), ...keys(2, 'KEY_GEMINI_')]);
    expect(shards).toBe(2);
    expect(variables[0]).toContain('KEY_GEMINI_2');
    expect(shardsOfPool).toEqual({ default: [0, 1], gemini: [0] });
    expect(planKeys([])).toEqual({ shards: 1, variables: [[]], shardsOfPool: {} });
  });

  it('takes gaps in the numbering as they are', () => {
    expect(planKeys(['KEY3', 'KEY70', 'KEY500']).variables).toEqual([['KEY3', 'KEY70', 'KEY500']]);
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

describe('keys that have a place', () => {
  it('keep it when keys with lower numbers are added', () => {
    const before = planKeys(keys(20).slice(4));
    const after = planKeys(keys(20), undefined, placementOf(before));
    for (const [variable, shard] of placementOf(before)) expect(after.variables[shard]).toContain(variable);
    expect(after.variables.map((own) => own.length)).toEqual([8, 8, 4]);
    expect(after.variables[2]).toEqual(['KEY1', 'KEY2', 'KEY3', 'KEY4']);
  });

  it('keep it when others in the middle are removed, and new ones take the free places', () => {
    const before = planKeys(keys(20));
    const left = keys(20).filter((key) => key !== 'KEY2' && key !== 'KEY3');
    const after = planKeys([...left, 'KEY30', 'KEY31', 'KEY32'], undefined, placementOf(before));
    for (const key of left) expect(placementOf(after).get(key)).toBe(placementOf(before).get(key));
    expect(after.variables[0]).toEqual(expect.arrayContaining(['KEY30', 'KEY31']));
    expect(after.variables[2]).toContain('KEY32');
  });

  it('never move, whatever is added and removed', () => {
    let random = 1;
    const dice = (sides: number) => {
      random = (random * 48_271) % 2_147_483_647;
      return random % sides;
    };
    let present = keys(10);
    let plan = planKeys(present);
    for (let round = 0; round < 300; round++) {
      const before = placementOf(plan);
      const added = Array.from({ length: dice(4) }, () => `KEY${1 + dice(60)}`);
      present = [...new Set([...present.filter(() => dice(10) > 0), ...added])];
      plan = planKeys(present, undefined, before);
      for (const key of present) {
        if (before.has(key)) expect(placementOf(plan).get(key)).toBe(before.get(key));
      }
      expect(placementOf(plan).size).toBe(present.length);
      expect(Math.max(...plan.variables.map((own) => own.length))).toBeLessThanOrEqual(8);
    }
  });

  it('leave a shard between others empty rather than move', () => {
    const before = placementOf(planKeys(keys(24)));
    const plan = planKeys(['KEY1', 'KEY20'], undefined, before);
    expect(plan.variables).toEqual([['KEY1'], [], ['KEY20']]);
    expect(plan.shardsOfPool).toEqual({ default: [0, 2] });
  });

  it('need no shard beyond the last that holds any', () => {
    const before = placementOf(planKeys(keys(24)));
    expect(planKeys(keys(9), undefined, before).shards).toBe(2);
  });
});
