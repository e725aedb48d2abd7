import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startTimeout, TimeoutError } from '../../../consumer/call/timeouts.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the time-out of a call', () => {
  it('aborts the call at its own time, whatever others run beside it', () => {
    const [slow, quick] = [new AbortController(), new AbortController()];
    startTimeout(slow, 30_000);
    startTimeout(quick, 1_000);
    vi.advanceTimersByTime(999);
    expect([slow, quick].map(({ signal }) => signal.aborted)).toEqual([false, false]);
    vi.advanceTimersByTime(1);
    expect([slow, quick].map(({ signal }) => signal.aborted)).toEqual([false, true]);
    expect(quick.signal.reason).toBeInstanceOf(TimeoutError);
    vi.advanceTimersByTime(29_000);
    expect(slow.signal.aborted).toBe(true);
  });

  it('leaves a call alone that is over, and no timer behind', () => {
    const over = new AbortController();
    startTimeout(over, 1_000)();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(2_000);
    expect(over.signal.aborted).toBe(false);
  });
});
