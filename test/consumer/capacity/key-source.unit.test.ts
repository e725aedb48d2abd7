/** Key pools as consumers ask them, where the pool's object runs the code of another release. */
import { describe, expect, it, vi } from 'vitest';
import type { CatalogEnv, KeyEnv } from '../../../consumer/capacity/capacity-env.ts';
import { askForKeys, releaseKeys } from '../../../consumer/capacity/key-source.ts';
import type { BriefKeyAnswer, KeyCall, KeyRequest } from '../../../consumer/keys/pool/lease.ts';
import type { KeyRelease } from '../../../consumer/keys/pool/release.ts';
import { KeyPoolObject } from '../../protocol/key-pool.ts';

type Answers = readonly unknown[];
type PoolObject = { lease(request: KeyRequest): Promise<Answers>; release(request: KeyRelease): Promise<unknown> };

const EXPIRES_AT = Date.now() + 60_000;

/** One key that takes two calls at a time. */
function consumerOf(pool: PoolObject): KeyEnv {
  const keys = {
    ring: { pools: new Map([['default', new Map([[1, 'sk-of-the-test']])]]), groups: new Map(), problems: [] },
    pool: () => pool,
    limits: () => ({ concurrency: 2 }),
    shards: {},
  };
  return { shard: '0', keys } as unknown as KeyEnv & CatalogEnv;
}

const calls = (...tasks: string[]): KeyCall[] => tasks.map((task) => ({ task }));
const ask = (env: KeyEnv, leaseId: string, asked: readonly KeyCall[]) =>
  askForKeys(env, 'default', { leaseId, expiresAt: EXPIRES_AT, calls: asked });
const isGranted = async (env: KeyEnv, leaseId: string) => {
  const answers = await ask(env, leaseId, calls(`one ${leaseId}`, `two ${leaseId}`));
  await releaseKeys(env, 'default', leaseId, undefined);
  return answers?.map(({ kind }) => kind);
};

/** It knows no ids in place of calls, and no brief answers. */
function before(pool: KeyPoolObject): PoolObject {
  return {
    release: (request) => pool.release(request),
    lease: async ({ isBrief: _, ...request }) => {
      expect(request.calls.every((call) => typeof call === 'object')).toBe(true);
      return pool.lease(request);
    },
  };
}

const freshPool = () =>
  new KeyPoolObject('default', {
    releaseLine: async () => ({ released: 0, left: false }),
    readSwitches: async () => [],
    keepSwitch: async () => undefined,
  });

describe('a pool that answers nothing', () => {
  it('is waited for by a batch for less than a minute, also when its question is given up', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    vi.useFakeTimers();
    try {
      const never = () => new Promise<never>(() => undefined);
      const pool = { lease: vi.fn(never), release: vi.fn(never) };
      const seen = vi.fn();
      void ask(consumerOf(pool), 'lease', calls('a')).then(seen);
      // Digests of keys take real time.
      await vi.waitFor(() => expect(pool.lease).toHaveBeenCalled());
      await vi.advanceTimersByTimeAsync(30_000);
      expect(seen).toHaveBeenCalledWith(undefined);
      expect(pool.release).toHaveBeenCalledWith({ leaseId: 'lease' });
    } finally {
      vi.useRealTimers();
      vi.restoreAllMocks();
    }
  });
});

describe('a pool of another release', () => {
  it('that knows no brief words is asked in whole ones, as often as it takes', async () => {
    const env = consumerOf(before(freshPool()));
    expect(await isGranted(env, 'lease 1')).toEqual(['granted', 'granted']);
    expect(await isGranted(env, 'lease 2')).toEqual(['granted', 'granted']);
  });

  it('answers a consumer that says nothing of brief words in whole ones', async () => {
    const pool = freshPool();
    const members = [{ number: 1, fingerprint: 'f' }];
    const request = { leaseId: 'lease', expiresAt: EXPIRES_AT, members, configured: {}, shard: 0, otherShards: [] };
    const whole = await pool.lease({ ...request, calls: calls('a') });
    expect(whole).toEqual([{ task: 'a', kind: 'granted', key: 1 }]);
    expect(await pool.lease({ ...request, leaseId: 'other', calls: ['b'] })).toEqual([1]);
  });

  it('is asked in brief words once it has answered in them', async () => {
    const pool = freshPool();
    const asked: KeyRequest['calls'][] = [];
    const lease = (request: KeyRequest) => {
      asked.push(request.calls);
      return pool.lease(request);
    };
    const env = consumerOf({ lease, release: (request) => pool.release(request) });
    await isGranted(env, 'lease 1');
    await isGranted(env, 'lease 2');
    expect(asked).toEqual([calls('one lease 1', 'two lease 1'), ['one lease 2', 'two lease 2']]);
  });

  it.each<[string, (answers: readonly BriefKeyAnswer[]) => Answers]>([
    ['all', (answers) => answers.map((key) => ({ is: 'lent', key }))],
    ['none', () => []],
    ['the second', ([first]) => [first, { task: 'other', kind: 'granted', key: 1 }]],
    ['a kind that nobody knows', ([first]) => [first, { task: 'two lease 1', kind: 'perhaps' }]],
    ['a grant without its key', ([first]) => [first, { task: 'two lease 1', kind: 'granted' }]],
  ])('whose answer cannot be read keeps no place taken: %s', async (_, garble) => {
    vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const pool = freshPool();
    let isOdd = true;
    const lease = async (request: KeyRequest) => {
      const answers = await pool.lease(request);
      return isOdd ? garble(answers) : answers;
    };
    const env = consumerOf({ lease, release: (request) => pool.release(request) });
    const answers = await ask(env, 'lease 1', calls('one lease 1', 'two lease 1'));
    // What can be read is used, and released as ever.
    const used = answers?.map(({ task }) => ({ task, feedback: { kind: 'worked' as const } })) ?? [];
    if (used.length > 0) await releaseKeys(env, 'default', 'lease 1', used);
    isOdd = false;
    expect(await isGranted(env, 'lease 2')).toEqual(['granted', 'granted']);
    vi.restoreAllMocks();
  });
});
