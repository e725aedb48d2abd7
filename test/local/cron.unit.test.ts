import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startCron } from '../../local/cron.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Rounds that last until they are told to end. */
function slowRounds() {
  const ends: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const round = async () => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => ends.push(resolve));
    running--;
  };
  return { round, ends, most: () => most };
}

describe('the local cron', () => {
  it('runs a round at each interval and not before', async () => {
    const round = vi.fn(async () => {});
    const cron = startCron(1000, round, () => {});
    await vi.advanceTimersByTimeAsync(999);
    expect(round).toHaveBeenCalledTimes(0);
    await vi.advanceTimersByTimeAsync(2001);
    expect(round).toHaveBeenCalledTimes(3);
    await cron.stop();
  });

  it('never runs two rounds at once, and lets a slow one take the place of those it delays', async () => {
    const { round, ends, most } = slowRounds();
    const cron = startCron(1000, round, () => {});
    await vi.advanceTimersByTimeAsync(5000);
    expect(ends).toHaveLength(1);
    const asked = cron.tick();
    ends[0]?.();
    await vi.advanceTimersByTimeAsync(0);
    expect(ends).toHaveLength(2);
    ends[1]?.();
    await asked;
    expect(most()).toBe(1);
    await cron.stop();
  });

  it('tells of a round that fails and goes on', async () => {
    const errors: unknown[] = [];
    const round = vi.fn().mockRejectedValueOnce(new Error('no database')).mockResolvedValue(undefined);
    const cron = startCron(1000, round, (error) => errors.push(error));
    await vi.advanceTimersByTimeAsync(2000);
    expect(errors).toEqual([new Error('no database')]);
    expect(round).toHaveBeenCalledTimes(2);
    await cron.stop();
  });

  it('starts nothing once it is stopped, and waits for the round under way', async () => {
    const { round, ends } = slowRounds();
    const cron = startCron(1000, round, () => {});
    await vi.advanceTimersByTimeAsync(1000);
    let stopped = false;
    const stopping = cron.stop().then(() => (stopped = true));
    await vi.advanceTimersByTimeAsync(5000);
    expect(stopped).toBe(false);
    ends[0]?.();
    await stopping;
    await cron.tick();
    expect(ends).toHaveLength(1);
  });
});
