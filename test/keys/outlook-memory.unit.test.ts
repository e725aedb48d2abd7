import { describe, expect, it } from 'vitest';
import { OutlookMemory } from '../../consumer/capacity/outlook-memory.ts';

const NOW = Date.UTC(2026, 10, 20, 12);
const outlook = (room: number) => ({ room, freeAt: null, perSecond: 2, bears: null });
const elsewhere = { a: [{ ...outlook(3), shard: 1 }] };
const wanted = new Map([['a', 10]]);

function remembering(room: number): OutlookMemory {
  const memory = new OutlookMemory();
  memory.note('a', outlook(room));
  memory.take(0);
  memory.hear({ elsewhere, incoming: { a: 2 } }, NOW);
  return memory;
}

describe('what was heard of other shards', () => {
  it('holds for a second where there is plenty of room, and says once who is on the way here', () => {
    const memory = remembering(40);
    expect(memory.recent(wanted, NOW + 999)).toEqual(elsewhere);
    expect([memory.takeIncoming('a'), memory.takeIncoming('a')]).toEqual([2, 0]);
    expect(memory.recent(wanted, NOW + 1_000)).toBeUndefined();
  });

  it('does not where a task may have to wait: little room, or a pool that is not known here', () => {
    expect(remembering(39).recent(wanted, NOW)).toBeUndefined();
    expect(remembering(40).recent(new Map([['b', 1]]), NOW)).toBeUndefined();
  });

  it('does not before the others were told of this pool', () => {
    const memory = new OutlookMemory();
    memory.hear({ elsewhere, incoming: {} }, NOW);
    memory.note('a', outlook(40));
    expect(memory.recent(wanted, NOW)).toBeUndefined();
  });

  it('does not when a task was sent to another shard since: that one is to know', () => {
    const memory = remembering(40);
    memory.noteSent('a', 1);
    expect(memory.recent(wanted, NOW)).toBeUndefined();
    expect(memory.take(0).sent).toEqual([{ pool: 'a', shard: 1, tasks: 1 }]);
    expect(memory.recent(wanted, NOW)).toBeDefined();
  });
});
