import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OpenLeases } from '../../../consumer/capacity/open-leases.ts';

let brought: [lease: string, reports: string[]][];
let leases: OpenLeases<string>;
beforeEach(() => {
  vi.useFakeTimers();
  brought = [];
  leases = new OpenLeases((_lender, id, reports) => brought.push([id, reports]));
  leases.add('lease', 'pool', [{ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd' }]);
});
afterEach(() => {
  vi.useRealTimers();
});

describe('calls under a lease', () => {
  it('go back together at the end of their batch', () => {
    for (const task of ['a', 'b', 'c', 'd']) leases.end(task, task, 'free');
    expect(brought).toEqual([]);
    leases.flush();
    leases.flush();
    expect(brought).toEqual([['lease', ['a', 'b', 'c', 'd']]]);
  });

  it('go back when the last of their lease has ended, though their batch goes on with others', () => {
    for (const task of ['a', 'b', 'c', 'd']) leases.end(task, task, 'free');
    leases.flushHalves();
    expect(brought).toEqual([['lease', ['a', 'b', 'c', 'd']]]);
  });

  it('go back within moments when somebody waits for what they held', () => {
    leases.end('a', 'a', 'awaited');
    leases.end('b', 'b', 'free');
    vi.advanceTimersByTime(50);
    expect(brought).toEqual([['lease', ['a', 'b']]]);
  });

  it('go back early as the larger half of a long batch, but not more often than once a second', () => {
    vi.advanceTimersByTime(2_000);
    leases.end('a', 'a', 'free');
    leases.flushHalves();
    expect(brought).toEqual([]);
    leases.end('b', 'b', 'free');
    leases.flushHalves();
    leases.end('c', 'c', 'free');
    leases.flushHalves();
    expect(brought).toEqual([['lease', ['a', 'b']]]);
    vi.advanceTimersByTime(1_000);
    leases.flushHalves();
    expect(brought[1]).toEqual(['lease', ['c']]);
  });

  it('are no reason to go back early when another call has what they held', () => {
    vi.advanceTimersByTime(2_000);
    for (const task of ['a', 'b', 'c']) leases.end(task, task, 'kept');
    leases.flushHalves();
    expect(brought).toEqual([]);
  });

  it('end once, and under no lease not at all', () => {
    leases.end('a', 'a', 'free');
    leases.end('a', 'again', 'free');
    leases.end('stranger', 'x', 'awaited');
    leases.flush();
    expect(brought).toEqual([['lease', ['a']]]);
  });
});
