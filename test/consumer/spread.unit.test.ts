import { describe, expect, it } from 'vitest';
import { sliceCount } from '../../consumer/call/invocations.ts';
import { CONNECTIONS, QUICK_TURNS, spread } from '../../consumer/call/spread.ts';

const sizes = (count: number, turns: number) =>
  spread(Array.from({ length: count }), turns).map(({ length }) => length);

describe('the spread of a batch', () => {
  it('fills every part but the last', () => {
    expect(sizes(0, 1)).toEqual([]);
    expect(sizes(6, 1)).toEqual([6]);
    expect(sizes(100, 1)).toEqual([...Array(16).fill(6), 4]);
    expect(sizes(100, 3)).toEqual([18, 18, 18, 18, 18, 10]);
  });

  it('never takes more slices than six by six, even when every part hands back all but its first calls', () => {
    for (const turns of [1, QUICK_TURNS]) {
      for (let count = 0; count <= 100; count++) {
        const parts = sizes(count, turns);
        const handedBack = parts.flatMap((size) => sizes(Math.max(0, size - CONNECTIONS), 1));
        const slices = Math.max(0, parts.length - 1) + handedBack.length;
        expect(slices, `${count} calls in ${turns} turns`).toBeLessThanOrEqual(sliceCount(count));
      }
    }
  });
});
