import { expect, it, vi } from 'vitest';
import { redrive, refusals } from '../../bench/redrive/stage.ts';

it('5,000 tasks that are redriven start once each, and at a pace at which their service refuses none', async () => {
  vi.spyOn(console, 'log').mockReturnValue(undefined);
  const outcome = await redrive(5_000, 50);
  expect(outcome.calls).toHaveLength(5_000);
  expect(refusals(outcome, { limit: 50, ms: 1_000, othersPerSecond: 0 })).toBe(0);
  expect(refusals(outcome, { limit: 3_000, ms: 60_000, othersPerSecond: 20 })).toBe(0);
  // Half of what the service bears is given to them.
  expect(outcome.seconds).toBeGreaterThan(190);
  expect(refusals(outcome, { limit: 1_000, ms: 60_000, othersPerSecond: 0 })).toBeGreaterThan(0);
});

it.each([0.5, 1, 1.5, 2, 3, 7, 10, 50])(
  'asked to start as many as a service of %d a second bears, it is refused none of them',
  async (limit) => {
    vi.spyOn(console, 'log').mockReturnValue(undefined);
    const tasks = Math.min(2_000, 200 * Math.ceil(limit));
    const outcome = await redrive(tasks, limit, limit);
    expect(outcome.calls).toHaveLength(tasks);
    // As a provider counts it: whole calls in a window, which begins anywhere.
    const whole = Math.max(1, Math.floor(limit));
    expect(refusals(outcome, { limit: whole, ms: (1000 * whole) / limit, othersPerSecond: 0 })).toBe(0);
  },
);
