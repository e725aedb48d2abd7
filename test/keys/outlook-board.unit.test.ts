import { describe, expect, it } from 'vitest';
import { OutlookBoard } from '../../callback/outlook-board.ts';

const NOW = Date.UTC(2026, 10, 20);
const outlook = { room: 2, freeAt: NOW + 1_000, perSecond: 2, bears: null };

describe('the board of outlooks', () => {
  it('tells each shard of the others, by pool', () => {
    const board = new OutlookBoard();
    expect(board.exchange({ shard: 0, pools: { a: outlook }, sent: [] }, NOW)).toEqual({
      elsewhere: { a: [] },
      incoming: { a: 0 },
    });
    const { elsewhere } = board.exchange({ shard: 1, pools: { b: outlook }, sent: [] }, NOW);
    expect(elsewhere).toEqual({ a: [{ ...outlook, shard: 0 }], b: [] });
  });

  it('takes who was sent for standing in line, until the shard speaks for itself', () => {
    const board = new OutlookBoard();
    board.exchange({ shard: 0, pools: { a: outlook }, sent: [] }, NOW);
    const sent = [{ shard: 0, pool: 'a', tasks: 6 }];
    const { elsewhere } = board.exchange({ shard: 1, pools: {}, sent }, NOW);
    // Two find room, four stand in line at two a second.
    expect(elsewhere.a).toEqual([{ ...outlook, shard: 0, room: 0, freeAt: NOW + 3_000 }]);
    expect(board.exchange({ shard: 0, pools: { a: outlook }, sent: [] }, NOW).incoming).toEqual({ a: 6 });
    expect(board.exchange({ shard: 0, pools: { a: outlook }, sent: [] }, NOW).incoming).toEqual({ a: 0 });
  });

  it('forgets shards that are not heard of', () => {
    const board = new OutlookBoard();
    board.exchange({ shard: 0, pools: { a: outlook }, sent: [] }, NOW);
    expect(board.exchange({ shard: 1, pools: { a: outlook }, sent: [] }, NOW + 700_000).elsewhere).toEqual({ a: [] });
  });
});
