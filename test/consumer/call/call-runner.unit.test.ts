import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { consumerEnv } from '../../../bench/batches/consumer-env.ts';
import type { Call } from '../../../consumer/call/call.ts';
import { CallRunner } from '../../../consumer/call/call-runner.ts';

beforeEach(() => {
  vi.useFakeTimers();
  for (const method of ['log', 'warn', 'error'] as const) vi.spyOn(console, method).mockImplementation(() => undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const call = (id: string): Call => ({
  id,
  service: 'ocr',
  request: {},
  callbackToken: '',
  state: {
    status: 'running',
    run: 1,
    deferrals: 0,
    attemptsOffset: 0,
    policy: { maxAttempts: 3, baseSeconds: 1, capSeconds: 60 },
    deadlineAt: Date.now() + 3_600_000,
    leaseUntil: Date.now() + 600_000,
  },
});

test('how the last call ended is told at once, however long a backend takes to hear of another that was cancelled', async () => {
  const [cancelled, other] = [`tsk_${'0'.repeat(32)}`, `tsk_${'1'.repeat(32)}`];
  const outbound = (url: string, { method, signal }: RequestInit) =>
    new Promise<Response>((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason));
      if (method !== 'DELETE') setTimeout(() => resolve(new Response()), url.endsWith('work') ? 7_000 : 0);
    });
  const service = { baseUrl: 'https://ocr.example.net', path: '/work', cancelPath: '/work/{id}' };
  const env = consumerEnv({ ocr: service }, () => ({ outbound, connections: 6, shard: '0' }));
  const told: string[] = [];
  using runner = new CallRunner(env, {
    over: () => undefined,
    heldBack: () => undefined,
    ended: (ended) => told.push(...ended.map(({ id }) => id)),
    cancelledAmong: async () => [cancelled],
  });
  void runner.run([call(cancelled), call(other)]);
  await vi.advanceTimersByTimeAsync(5_100);
  expect(told).toEqual([cancelled]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(told).toEqual([cancelled, other]);
});
