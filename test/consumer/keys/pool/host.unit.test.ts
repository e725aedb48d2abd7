import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { KeyPoolHost } from '../../../../consumer/keys/pool/host.ts';
import type { ReleaseAnswer, ReleaseRequest } from '../../../../shared/ledger/line.ts';

const START = 1_000_000;
const MEMBERS = [{ number: 1, fingerprint: 'aaaaaaaa' }];

beforeEach(() => {
  vi.useFakeTimers({ now: START });
  vi.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

test('a line whose owner asked a ledger that was away for long is asked for again, though nobody comes by', async () => {
  const asked: ReleaseRequest[] = [];
  let answer: Promise<ReleaseAnswer | undefined> = Promise.resolve({ released: 0, left: true });
  const platform = {
    storage: { read: () => [], write: () => undefined, writeOne: () => undefined },
    setAlarm: async (at: number) => {
      setTimeout(() => void host.ring(), at - Date.now());
    },
    releaseLine: (request: ReleaseRequest) => {
      asked.push(request);
      return answer;
    },
    inBackground: (work: Promise<void>) => void work,
  };
  const host = new KeyPoolHost('llm', platform);
  const lease = (task: string) =>
    host.lease({
      leaseId: task,
      expiresAt: START + 600_000,
      calls: [{ task, mustNotWait: true }],
      members: MEMBERS,
      configured: { concurrency: 1 },
      shard: 0,
      otherShards: [],
    });
  await lease('tsk_a');
  expect(await lease('tsk_b')).toMatchObject([{ kind: 'park' }]);
  // The ledger takes half a minute, and then says nothing.
  answer = new Promise((resolve) => setTimeout(() => resolve(undefined), 30_000));
  await host.release({ leaseId: 'tsk_a', worked: ['tsk_a'], reports: [] });
  const before = asked.length;
  await vi.advanceTimersByTimeAsync(29_000);
  answer = Promise.resolve({ released: 0, left: true });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked.length).toBeGreaterThan(before);
});
