import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Settler } from '../../../consumer/delivery/settler.ts';
import type { Settled, Settlement } from '../../../shared/ledger/contract.ts';

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(console, 'error').mockReturnValue(undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const settlement = (id: string) => ({ id }) as Settlement;
const settledOf = ({ id }: Settlement): Settled => ({ id, status: 'succeeded', disposition: { kind: 'ack' } });

/** A ledger that answers after `ms`, and refuses its first `refusals` questions. */
function ledgerOf({ ms = 0, refusals = 0 } = {}) {
  const batches: string[][] = [];
  let left = refusals;
  const settle = async (settlements: Settlement[]) => {
    batches.push(settlements.map(({ id }) => id));
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    if (left-- > 0) throw new Error('the database is away');
    return settlements.map(settledOf);
  };
  return { settle, batches };
}

function settlerOver(ledger: { settle: (settlements: Settlement[]) => Promise<Settled[]> }, expected: number) {
  const settled: string[] = [];
  const unrecorded: string[] = [];
  const settler = new Settler(
    ledger,
    expected,
    ({ id }) => settled.push(id),
    (open) => unrecorded.push(...open.map(({ id }) => id)),
  );
  return { settler, settled, unrecorded };
}

describe('Settler', () => {
  it('records a fast task before the slow one beside it ends', async () => {
    const ledger = ledgerOf();
    const { settler, settled } = settlerOver(ledger, 2);
    settler.add([settlement('fast')]);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(settled).toEqual(['fast']);
    await vi.advanceTimersByTimeAsync(59_000);
    settler.add([settlement('slow')]);
    await settler.drain();
    expect(settled).toEqual(['fast', 'slow']);
    expect(ledger.batches).toEqual([['fast'], ['slow']]);
  });

  it('gathers what comes close together into one write', async () => {
    const ledger = ledgerOf();
    const { settler } = settlerOver(ledger, 4);
    settler.add([settlement('a')]);
    await vi.advanceTimersByTimeAsync(5);
    settler.add([settlement('b'), settlement('c')]);
    await vi.advanceTimersByTimeAsync(100);
    expect(ledger.batches).toEqual([['a', 'b', 'c']]);
  });

  it('does not keep the last ones waiting', async () => {
    const ledger = ledgerOf();
    const { settler, settled } = settlerOver(ledger, 2);
    settler.add([settlement('a'), settlement('b')]);
    await settler.drain();
    expect(settled).toEqual(['a', 'b']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('ends the wait when the last ones come', async () => {
    const ledger = ledgerOf();
    const { settler, settled } = settlerOver(ledger, 2);
    settler.add([settlement('a')]);
    await vi.advanceTimersByTimeAsync(5);
    settler.add([settlement('b')]);
    await settler.drain();
    expect(ledger.batches).toEqual([['a', 'b']]);
    expect(settled).toEqual(['a', 'b']);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('gathers the next write while one is under way', async () => {
    const ledger = ledgerOf({ ms: 500 });
    const { settler, settled } = settlerOver(ledger, 4);
    settler.add([settlement('a')]);
    await vi.advanceTimersByTimeAsync(100);
    settler.add([settlement('b')]);
    settler.add([settlement('c')]);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(ledger.batches).toEqual([['a'], ['b', 'c']]);
    expect(settled).toEqual(['a', 'b', 'c']);
  });

  it('repeats what was refused, with the same outcomes', async () => {
    const ledger = ledgerOf({ refusals: 2 });
    const { settler, settled } = settlerOver(ledger, 1);
    settler.add([settlement('a')]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(ledger.batches).toEqual([['a'], ['a'], ['a']]);
    expect(settled).toEqual(['a']);
  });

  it('hands back within the slack of the lease what nobody took, and goes on with the next', async () => {
    const ledger = ledgerOf({ refusals: 6 });
    const { settler, settled, unrecorded } = settlerOver(ledger, 2);
    settler.add([settlement('a')]);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(ledger.batches).toHaveLength(6);
    settler.add([settlement('b')]);
    await settler.drain();
    expect({ settled, unrecorded }).toEqual({ settled: ['b'], unrecorded: ['a'] });
  });

  it('drains at once when nothing came', async () => {
    const { settler } = settlerOver(ledgerOf(), 3);
    settler.add([]);
    await settler.drain();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not let outcomes wait for those whose store does not answer', async () => {
    let isAway = true;
    const asked: string[][] = [];
    const ledger = {
      settle: async (settlements: Settlement[]) => {
        asked.push(settlements.map(({ id }) => id));
        return settlements.filter(({ id }) => !isAway || !id.startsWith('away')).map(settledOf);
      },
    };
    const { settler, settled } = settlerOver(ledger, 3);
    settler.add([settlement('away-1'), settlement('here-1')]);
    await vi.advanceTimersByTimeAsync(150);
    expect(settled).toEqual(['here-1']);
    settler.add([settlement('here-2')]);
    await vi.advanceTimersByTimeAsync(150);
    expect(settled).toEqual(['here-1', 'here-2']);
    isAway = false;
    await vi.advanceTimersByTimeAsync(2_000);
    await settler.drain();
    expect(settled).toEqual(['here-1', 'here-2', 'away-1']);
    expect(asked.slice(1).every((ids) => ids.length === 1)).toBe(true);
  });

  it('hands back alone those whose store stays away', async () => {
    const settle = async (settlements: Settlement[]) =>
      settlements.filter(({ id }) => !id.startsWith('away')).map(settledOf);
    const { settler, settled, unrecorded } = settlerOver({ settle }, 2);
    settler.add([settlement('away'), settlement('here')]);
    await vi.advanceTimersByTimeAsync(30_000);
    await settler.drain();
    expect({ settled, unrecorded }).toEqual({ settled: ['here'], unrecorded: ['away'] });
  });
});
