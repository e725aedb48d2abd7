import { describe, expect, it } from 'vitest';
import { chooseShard } from '../../../producer/accept/shard.ts';

const NOW = 1_000_000;
const all = [0, 1, 2, 3];

/** Dice that show these numbers in turn. */
function dice(...throws: number[]): () => number {
  return () => throws.shift() ?? 0;
}

describe('choosing a shard', () => {
  it('takes the only candidate there is', () => {
    expect(chooseShard([], [2], NOW, dice(0.99))).toBe(2);
  });

  it('takes the smaller backlog of two', () => {
    const news = [
      { backlog: 9, at: NOW },
      { backlog: 3, at: NOW },
    ];
    expect(chooseShard(news, [0, 1], NOW, dice(0, 0))).toBe(1);
    expect(chooseShard(news, [0, 1], NOW, dice(0.9, 0))).toBe(1);
  });

  it('compares two different shards whatever the dice show', () => {
    const news = all.map((shard) => ({ backlog: shard === 3 ? 0 : 5, at: NOW }));
    const throws = [0, 0.3, 0.6, 0.99];
    for (const first of throws) {
      for (const second of throws) expect(all).toContain(chooseShard(news, all, NOW, dice(first, second)));
    }
    expect(chooseShard(news, all, NOW, dice(0.5, 0))).toBe(3);
  });

  it('tries a shard again whose news is old', () => {
    const news = [
      { backlog: 1, at: NOW },
      { backlog: Number.POSITIVE_INFINITY, at: NOW - 60_000 },
    ];
    expect(chooseShard(news, [0, 1], NOW, dice(0, 0))).toBe(1);
  });

  it('avoids a shard that refused a moment ago', () => {
    const news = [{ backlog: Number.POSITIVE_INFINITY, at: NOW }, undefined];
    expect(chooseShard(news, [0, 1], NOW, dice(0, 0))).toBe(1);
  });

  it('spreads tasks evenly over shards that answer alike', () => {
    const counts = [0, 0, 0, 0];
    const news = all.map(() => ({ backlog: 0, at: NOW }));
    let seed = 1;
    const random = () => {
      seed = (seed * 48271) % 2147483647;
      return seed / 2147483647;
    };
    for (let task = 0; task < 4000; task++) {
      const shard = chooseShard(news, all, NOW, random);
      counts[shard] = (counts[shard] ?? 0) + 1;
      const known = news[shard];
      if (known !== undefined) news[shard] = { ...known, backlog: known.backlog + 1 };
    }
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(20);
  });
});
