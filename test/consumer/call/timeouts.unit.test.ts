import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TimeoutError, Timeouts } from '../../../consumer/call/timeouts.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const call = () => new AbortController();

describe('the time-outs of calls', () => {
  it('abort each call at its own time, whatever order they started in', () => {
    const timeouts = new Timeouts();
    const [slow, quick, later] = [call(), call(), call()];
    timeouts.start(slow, 30_000);
    timeouts.start(quick, 1_000);
    vi.advanceTimersByTime(999);
    timeouts.start(later, 1_000);
    expect([slow, quick, later].map(({ signal }) => signal.aborted)).toEqual([false, false, false]);
    vi.advanceTimersByTime(1);
    expect([slow, quick, later].map(({ signal }) => signal.aborted)).toEqual([false, true, false]);
    expect(quick.signal.reason).toBeInstanceOf(TimeoutError);
    vi.advanceTimersByTime(999);
    expect([slow, quick, later].map(({ signal }) => signal.aborted)).toEqual([false, true, true]);
    vi.advanceTimersByTime(28_000);
    expect(slow.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(slow.signal.aborted).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leave a call alone that is over, and still watch those that start afterwards', () => {
    const timeouts = new Timeouts();
    const [over, next] = [call(), call()];
    timeouts.start(over, 1_000);
    timeouts.over(over);
    vi.advanceTimersByTime(500);
    timeouts.start(next, 1_000);
    vi.advanceTimersByTime(999);
    expect([over, next].map(({ signal }) => signal.aborted)).toEqual([false, false]);
    vi.advanceTimersByTime(1);
    expect([over, next].map(({ signal }) => signal.aborted)).toEqual([false, true]);
  });

  it('hold one timer, and none when all are over', () => {
    const timeouts = new Timeouts();
    for (let count = 0; count < 6; count++) timeouts.start(call(), 30_000 + count);
    expect(vi.getTimerCount()).toBe(1);
    timeouts.stop();
    expect(vi.getTimerCount()).toBe(0);
  });
});
