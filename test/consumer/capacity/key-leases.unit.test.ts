/** One batch's keys: of its woken tasks no more ask than have a turn to call, for a key that waited with them would be missing elsewhere. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Call, EndedCall } from '../../../consumer/call/call.ts';
import { Background } from '../../../consumer/capacity/background.ts';
import type { CatalogEnv, KeyEnv } from '../../../consumer/capacity/capacity-env.ts';
import { KeyLeases } from '../../../consumer/capacity/key-leases.ts';
import type { KeyRequest } from '../../../consumer/keys/pool/lease.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A pool that gives its one key to whoever asks, and a batch that makes one call at a time. */
function batch(takeNote: () => Promise<unknown> = () => later(20)) {
  const asked: string[] = [];
  const pool = {
    lease: async ({ calls }: KeyRequest) => {
      asked.push(...calls.map((call) => (typeof call === 'string' ? call : call.task)));
      return calls.map(() => 1);
    },
    release: async () => {
      await takeNote();
      return [];
    },
  };
  const keys = {
    ring: { pools: new Map([['default', new Map([[1, 'sk-of-the-test']])]]), groups: new Map(), problems: [] },
    pool: () => pool,
    limits: () => ({}),
    shards: {},
  };
  const services = { chat: { baseUrl: 'https://chat.example.com', keyPool: 'default' } };
  const env = { shard: '0', services, keys } as unknown as KeyEnv & CatalogEnv;
  const running = new Set<string>();
  const ready = async (calls: readonly Call[]) => {
    for (const { id } of calls) running.add(id);
  };
  const host = { ended: () => undefined, ready };
  const leases = new KeyLeases(env, new Background('0'), host, () => 1 - running.size);
  return {
    asked,
    running,
    take: async (calls: readonly Call[]) => ready((await leases.take(calls)).ready),
    end(id: string, kind: 'worked' | 'limited') {
      running.delete(id);
      const feedback = kind === 'worked' ? { kind } : { kind, quota: false, resetAt: undefined };
      const ended = { id, attempted: { key: { pool: 'default', number: 1, feedback } } } as unknown as EndedCall;
      leases.over(ended);
      leases.release([ended]);
    },
  };
}

const woken = (id: string) =>
  ({ id, service: 'chat', request: {}, line: 'pool:default', state: { leaseUntil: Date.now() + 600_000 } }) as Call;

it('a task whose turn comes after long calls asks when it has come', async () => {
  const { asked, running, take, end } = batch();
  const [first, second] = [woken('first'), woken('second')];
  void take([first, second]);
  // Digests of keys take real time.
  await vi.waitFor(() => expect(running).toEqual(new Set(['first'])));
  await vi.advanceTimersByTimeAsync(30_000);
  expect(asked).toEqual(['first']);
  end('first', 'worked');
  await vi.advanceTimersByTimeAsync(100);
  expect(asked).toEqual(['first', 'second']);
});

it('a call that was limited asks again before the next: both would have a key, and one a turn', async () => {
  const { asked, running, take, end } = batch();
  void take([woken('first'), woken('second')]);
  await vi.waitFor(() => expect(running).toEqual(new Set(['first'])));
  end('first', 'limited');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked).toEqual(['first', 'first']);
  expect(running).toEqual(new Set(['first']));
});

it.each([
  ['does not answer', () => new Promise(() => undefined)],
  ['breaks', () => Promise.reject(new Error('no pool today'))],
])(
  'a call that was limited leaves its turn to the next, also where the pool that is told of it %s',
  async (_, takeNote) => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const { asked, running, take, end } = batch(takeNote);
    void take([woken('first'), woken('second')]);
    await vi.waitFor(() => expect(running).toEqual(new Set(['first'])));
    end('first', 'limited');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(running).toEqual(new Set(['first']));
    end('first', 'worked');
    await vi.advanceTimersByTimeAsync(100);
    expect(asked).toEqual(['first', 'first', 'second']);
    vi.restoreAllMocks();
  },
);
