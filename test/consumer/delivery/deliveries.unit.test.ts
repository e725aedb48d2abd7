import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Deliveries } from '../../../consumer/delivery/deliveries.ts';
import { wakeMessage } from '../../../shared/message/task-message.ts';
import { type NotedMessage, notedMessage, notedQueue } from '../message.ts';

const NOW = Date.UTC(2026, 10, 20);
const DAY_MS = 86_400_000;
const KEY = `tsk_${'0'.repeat(32)}`;
const body = wakeMessage(KEY, 'ocr');

beforeEach(() => {
  vi.useFakeTimers({ now: NOW });
  vi.spyOn(console, 'error').mockReturnValue(undefined);
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

function hold(messages: readonly NotedMessage[], refuses = false, noReenqueue?: ReadonlySet<string>, draining = false) {
  const { queue, sent } = notedQueue(refuses);
  return { deliveries: new Deliveries(queue, new Map([[KEY, messages]]), noReenqueue, draining), sent };
}

describe('dispositions (rule R5)', () => {
  it('acks at once what is decided so', () => {
    const message = notedMessage(body);
    hold([message]).deliveries.decide(KEY, { kind: 'ack' });
    expect(message.disposition).toEqual({ kind: 'ack' });
  });

  it('retries at the end what was decided so, with the time that is left', async () => {
    const message = notedMessage(body);
    const { deliveries, sent } = hold([message]);
    deliveries.decide(KEY, { kind: 'retry', delayMs: 61_000 });
    await vi.advanceTimersByTimeAsync(20_500);
    expect(message.disposition).toBeUndefined();
    await deliveries.finish();
    expect(message.disposition).toEqual({ kind: 'retry', delaySeconds: 41 });
    expect(sent).toEqual([]);
  });

  it('retries at the end what nobody decided, later with each delivery', async () => {
    const delays: unknown[] = [];
    for (const attempts of [1, 2, 5, 20]) {
      const message = notedMessage(body, { attempts });
      await hold([message]).deliveries.finish();
      delays.push(message.disposition);
    }
    expect(delays).toEqual([2, 4, 32, 600].map((delaySeconds) => ({ kind: 'retry', delaySeconds })));
  });

  it('gives all messages of a task one disposition (rule R10)', async () => {
    const messages = [notedMessage(body), notedMessage(body), notedMessage(body)];
    hold(messages).deliveries.decide(KEY, { kind: 'ack' });
    expect(messages.map(({ disposition }) => disposition?.kind)).toEqual(['ack', 'ack', 'ack']);

    const others = [notedMessage(body), notedMessage(body)];
    const { deliveries } = hold(others);
    deliveries.decide(KEY, { kind: 'retry', delayMs: 5_000 });
    await deliveries.finish();
    expect(others.map(({ disposition }) => disposition)).toEqual(Array(2).fill({ kind: 'retry', delaySeconds: 5 }));
  });

  it('follows the latest decision, and none after the disposition', async () => {
    const message = notedMessage(body);
    const { deliveries, sent } = hold([message]);
    deliveries.decide(KEY, { kind: 'retry', delayMs: 5_000 });
    deliveries.decide(KEY, { kind: 'retry', delayMs: 60_000 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sent).toEqual([]);
    deliveries.decide(KEY, { kind: 'ack' });
    deliveries.decide(KEY, { kind: 'retry', delayMs: 1_000 });
    deliveries.decide('somebody else', { kind: 'ack' });
    await deliveries.finish();
    expect(message.disposition).toEqual({ kind: 'ack' });
  });
});

describe('a delay that passes while the batch still runs (rule R15)', () => {
  it('is over by a copy, sent before the message is acked', async () => {
    const message = notedMessage(body);
    const { deliveries, sent } = hold([message]);
    deliveries.decide(KEY, { kind: 'retry', delayMs: 5_000 });
    await vi.advanceTimersByTimeAsync(4_999);
    expect(sent).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(sent).toEqual([{ body, delaySeconds: 0 }]);
    expect(message.disposition).toEqual({ kind: 'ack' });
    await deliveries.finish();
    expect(sent).toHaveLength(1);
  });

  it('is one copy for all messages of the task', async () => {
    const messages = [notedMessage(body), notedMessage(body)];
    const { deliveries, sent } = hold(messages);
    deliveries.decide(KEY, { kind: 'retry', delayMs: 5_000 });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(sent).toHaveLength(1);
    expect(messages.map(({ disposition }) => disposition?.kind)).toEqual(['ack', 'ack']);
  });

  it('keeps the message when the copy cannot be sent', async () => {
    const message = notedMessage(body);
    const { deliveries } = hold([message], true);
    deliveries.decide(KEY, { kind: 'retry', delayMs: 5_000 });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(message.disposition).toBeUndefined();
    await deliveries.finish();
    expect(message.disposition).toEqual({ kind: 'retry', delaySeconds: 0 });
  });

  it('makes no copy of what the platform shall give up on', async () => {
    const message = notedMessage(body, { attempts: 95 });
    const { deliveries, sent } = hold([message], false, new Set([KEY]));
    deliveries.decide(KEY, { kind: 'retry', delayMs: 5_000 });
    await vi.advanceTimersByTimeAsync(10_000);
    await deliveries.finish();
    expect(sent).toEqual([]);
    expect(message.disposition).toEqual({ kind: 'retry', delaySeconds: 0 });
  });
});

describe('a message near its delivery limit (rule R16)', () => {
  it('is replaced by a fresh copy near its hundredth delivery', async () => {
    const message = notedMessage(body, { attempts: 90 });
    const { deliveries, sent } = hold([message]);
    deliveries.decide(KEY, { kind: 'retry', delayMs: 61_000 });
    await deliveries.finish();
    expect(sent).toEqual([{ body, delaySeconds: 61 }]);
    expect(message.disposition).toEqual({ kind: 'ack' });
  });

  it('is replaced when it has lain for half its retention', async () => {
    const message = notedMessage(body, { timestamp: new Date(NOW - 2 * DAY_MS) });
    const { deliveries, sent } = hold([message]);
    await deliveries.finish();
    expect(sent).toEqual([{ body, delaySeconds: 2 }]);
    expect(message.disposition).toEqual({ kind: 'ack' });
  });

  it('is retried when no copy can be sent', async () => {
    const message = notedMessage(body, { attempts: 95 });
    const { deliveries } = hold([message], true);
    deliveries.decide(KEY, { kind: 'retry', delayMs: 61_000 });
    await deliveries.finish();
    expect(message.disposition).toEqual({ kind: 'retry', delaySeconds: 61 });
  });

  it('leaves a message alone that is neither', async () => {
    const message = notedMessage(body, { attempts: 89, timestamp: new Date(NOW - 2 * DAY_MS + 1) });
    const { deliveries, sent } = hold([message]);
    await deliveries.finish();
    expect(sent).toEqual([]);
    expect(message.disposition?.kind).toBe('retry');
  });
});

describe('a shard that is drained', () => {
  it('sends on what has to wait, with the time that is left, and keeps nothing', async () => {
    const message = notedMessage(body);
    const { deliveries, sent } = hold([message], false, undefined, true);
    deliveries.decide(KEY, { kind: 'retry', delayMs: 61_000 });
    await deliveries.finish();
    expect(sent).toEqual([{ body, delaySeconds: 61 }]);
    expect(message.disposition).toEqual({ kind: 'ack' });
  });

  it('sends on what nobody decided', async () => {
    const message = notedMessage(body);
    const { deliveries, sent } = hold([message], false, undefined, true);
    await deliveries.finish();
    expect(sent).toHaveLength(1);
    expect(message.disposition).toEqual({ kind: 'ack' });
  });

  it('keeps a message as long as the other queue refuses it', async () => {
    const message = notedMessage(body);
    const { deliveries } = hold([message], true, undefined, true);
    await deliveries.finish();
    expect(message.disposition?.kind).toBe('retry');
  });
});
