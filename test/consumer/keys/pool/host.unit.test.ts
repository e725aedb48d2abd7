import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { changeKey } from '../../../../consumer/keys/pool/change.ts';
import { KeyPoolHost, type PoolPlatform } from '../../../../consumer/keys/pool/host.ts';
import { lease } from '../../../../consumer/keys/pool/lease.ts';
import { pull } from '../../../../consumer/keys/pool/line.ts';
import { Pool, setMembers } from '../../../../consumer/keys/pool/pool.ts';
import { release } from '../../../../consumer/keys/pool/release.ts';
import type { KeySwitch } from '../../../../shared/key/switch.ts';
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

describe('a line of a pool whose only key is switched off', () => {
  function parked() {
    const pool = new Pool('llm');
    const request = { leaseId: 'lease-1', expiresAt: START + 600_000, members: MEMBERS, configured: {} };
    setMembers(pool, MEMBERS);
    changeKey(pool, 1, 'disable', START);
    const calls = [{ task: 'tsk_a', mustNotWait: true }];
    expect(lease(pool, { ...request, calls, shard: 0, otherShards: [] }, START)).toMatchObject([{ kind: 'park' }]);
    expect(pull(pool, START + 60_000).pulls).toEqual([]);
    return pool;
  }

  test('moves at once when that is enabled, however long its owner has had nothing to ask for', () => {
    const pool = parked();
    Object.assign(pool.lines.get('') ?? {}, { askedAt: START + 59_000, askPauseMs: 600_000 });
    changeKey(pool, 1, 'enable', START + 60_000);
    expect(pull(pool, START + 60_000).pulls).toMatchObject([{ request: { line: 'pool:llm' } }]);
  });

  test('stands when the key is only reset: a person has switched it off', () => {
    const pool = parked();
    changeKey(pool, 1, 'reset', START + 60_000);
    expect(pull(pool, START + 60_000).pulls).toEqual([]);
  });
});

test('a line of keys that are limited moves at once when one is reset', () => {
  const pool = new Pool('llm');
  const request = { expiresAt: START + 600_000, members: MEMBERS, configured: {}, shard: 0, otherShards: [] };
  lease(pool, { ...request, leaseId: 'lease-1', calls: [{ task: 'tsk_a' }] }, START);
  const feedback = { kind: 'limited', quota: true, resetAt: START + 3_600_000 } as const;
  release(pool, { leaseId: 'lease-1', reports: [{ task: 'tsk_a', feedback }] }, START + 5);
  const [answer] = lease(pool, { ...request, leaseId: 'lease-2', calls: [{ task: 'tsk_a' }] }, START + 10);
  expect(answer).toMatchObject({ kind: 'park', until: START + 3_600_000 });
  expect(pull(pool, START + 60_000).pulls).toEqual([]);
  changeKey(pool, 1, 'reset', START + 60_000);
  expect(pull(pool, START + 60_000).pulls).toMatchObject([{ request: { line: 'pool:llm' } }]);
});

describe('a key that is reset while calls are under way', () => {
  const request = { expiresAt: START + 600_000, members: MEMBERS, shard: 0, otherShards: [], isBrief: true };

  test('keeps to the calls at a time that are configured', () => {
    const pool = new Pool('llm');
    const ask = (leaseId: string, tasks: string[]) => {
      const calls = tasks.map((task) => ({ task, mustNotWait: true, isInTurn: true }));
      return lease(pool, { ...request, leaseId, calls, configured: { concurrency: 2 } }, START);
    };
    expect(ask('lease-1', ['a', 'b'])).toEqual([1, 1]);
    changeKey(pool, 1, 'reset', START);
    expect(ask('lease-2', ['c'])).toMatchObject([{ kind: 'park' }]);
    release(pool, { leaseId: 'lease-1', worked: ['a'], reports: [] }, START);
    expect(ask('lease-3', ['c', 'd'])).toMatchObject([1, { kind: 'park' }]);
  });

  test('is closed by nothing that was refused to them', () => {
    const pool = new Pool('llm');
    const ask = (leaseId: string, task: string, now: number) =>
      lease(pool, { ...request, leaseId, calls: [{ task, isInTurn: true }], configured: {} }, now);
    expect(ask('lease-1', 'a', START)).toEqual([1]);
    changeKey(pool, 1, 'reset', START + 10);
    const feedback = { kind: 'limited', quota: true, resetAt: undefined } as const;
    release(pool, { leaseId: 'lease-1', reports: [{ task: 'a', feedback }] }, START + 20);
    expect(ask('lease-2', 'a', START + 30)).toEqual([1]);
  });
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
    readSwitches: async () => [],
    keepSwitch: async () => undefined,
    inBackground: (work: Promise<void>) => void work,
  };
  const host = new KeyPoolHost('llm', platform);
  const ask = (task: string) =>
    host.lease({
      leaseId: task,
      expiresAt: START + 600_000,
      calls: [{ task, mustNotWait: true }],
      members: MEMBERS,
      configured: { concurrency: 1 },
      shard: 0,
      otherShards: [],
    });
  await ask('tsk_a');
  expect(await ask('tsk_b')).toMatchObject([{ kind: 'park' }]);
  // The ledger takes half a minute, and then says nothing.
  answer = new Promise((resolve) => setTimeout(() => resolve(undefined), 30_000));
  await host.release({ leaseId: 'tsk_a', worked: ['tsk_a'], reports: [] });
  const before = asked.length;
  await vi.advanceTimersByTimeAsync(29_000);
  answer = Promise.resolve({ released: 0, left: true });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked.length).toBeGreaterThan(before);
});

describe('a question for a key that may wait', () => {
  const ASKED = { isBrief: true, members: MEMBERS, configured: { concurrency: 1 }, shard: 0, otherShards: [] };
  const storage = { read: () => [], write: () => undefined, writeOne: () => undefined };

  async function busyHost(): Promise<KeyPoolHost> {
    const host = new KeyPoolHost('llm', {
      storage,
      setAlarm: async () => undefined,
      releaseLine: async () => undefined,
      readSwitches: async () => [],
      keepSwitch: async () => undefined,
      inBackground: () => undefined,
    });
    await host.lease({ ...ASKED, leaseId: 'lease-a', expiresAt: START + 600_000, calls: ['tsk_a'] });
    return host;
  }

  const question = {
    ...ASKED,
    leaseId: 'lease-b',
    expiresAt: START + 600_000,
    calls: [{ task: 'tsk_b', isInTurn: true }],
  };

  test('is answered when the key comes back, the same for who asks it twice', async () => {
    const host = await busyHost();
    const answers = [question, question].map((each) => host.lease({ ...each, mayWait: true }));
    await vi.advanceTimersByTimeAsync(300);
    await host.release({ leaseId: 'lease-a', worked: ['tsk_a'], reports: [] });
    expect(await Promise.all(answers)).toEqual([[1], [1]]);
    // One call, not two: the key is free once it has ended.
    await host.release({ leaseId: 'lease-b', worked: ['tsk_b'], reports: [] });
    expect(await host.lease({ ...question, leaseId: 'lease-c' })).toEqual([1]);
  });

  test('is told to ask again when nothing has come for a second', async () => {
    const host = await busyHost();
    const answer = host.lease({ ...question, mayWait: true });
    await vi.advanceTimersByTimeAsync(1_100);
    expect(await answer).toMatchObject([{ kind: 'start-at' }]);
  });

  test('gets no key that nobody waits for when its asker has given up meanwhile', async () => {
    const host = await busyHost();
    const answer = host.lease({ ...question, mayWait: true });
    await vi.advanceTimersByTimeAsync(300);
    await host.release({ leaseId: 'lease-b' });
    await host.release({ leaseId: 'lease-a', worked: ['tsk_a'], reports: [] });
    expect(await host.lease({ ...question, leaseId: 'lease-c' })).toEqual([1]);
    await vi.advanceTimersByTimeAsync(1_100);
    expect(await answer).toEqual([]);
  });

  test('gets its answer at once otherwise', async () => {
    const host = await busyHost();
    expect(await host.lease(question)).toMatchObject([{ kind: 'start-at' }]);
  });
});

describe('a key that a pool meets', () => {
  const [first] = MEMBERS;
  const fingerprint = first?.fingerprint ?? '';

  function hostWith(readSwitches: PoolPlatform['readSwitches'], kept: KeySwitch[] = []) {
    return new KeyPoolHost('llm', {
      storage: { read: () => [], write: () => undefined, writeOne: () => undefined },
      setAlarm: async () => undefined,
      releaseLine: async () => undefined,
      readSwitches,
      keepSwitch: async (change) => void kept.push(change),
      inBackground: () => undefined,
    });
  }

  test('is as the ledger says, which is asked once', async () => {
    const asked: string[][] = [];
    const host = hostWith(async (fingerprints) => {
      asked.push(fingerprints);
      return [{ fingerprint, disabledAt: START }];
    });
    for (const _ of [1, 2]) expect(await host.describe(MEMBERS)).toMatchObject([{ state: 'disabled' }]);
    expect(asked).toEqual([[fingerprint]]);
  });

  test('is not lent, shown or changed while the ledger does not say', async () => {
    const host = hostWith(() => Promise.reject(new Error('no ledger today')));
    await expect(host.describe(MEMBERS)).rejects.toThrow('no ledger today');
    await expect(host.change(MEMBERS, 1, 'enable')).rejects.toThrow('no ledger today');
    const question = { leaseId: 'a', expiresAt: START + 600_000, calls: ['tsk_a'], members: MEMBERS, configured: {} };
    await expect(host.lease({ ...question, shard: 0, otherShards: [] })).rejects.toThrow('no ledger today');
  });

  test('is as it was changed meanwhile, and not as a late answer has it', async () => {
    const late = Promise.withResolvers<KeySwitch[]>();
    const answers = [late.promise, Promise.resolve([])];
    const kept: KeySwitch[] = [];
    const host = hostWith(() => answers.shift() ?? Promise.resolve([]), kept);
    const shown = host.describe(MEMBERS);
    expect(await host.change(MEMBERS, 1, 'disable')).toMatchObject({ state: 'disabled' });
    late.resolve([{ fingerprint, disabledAt: null }]);
    expect(await shown).toMatchObject([{ state: 'disabled' }]);
    expect(kept).toMatchObject([{ fingerprint, disabledAt: START }]);
    expect(await host.change(MEMBERS, 1, 'reset')).toMatchObject({ state: 'disabled' });
    expect(await host.change(MEMBERS, 1, 'enable')).toMatchObject({ state: 'ready' });
    expect(kept).toMatchObject([{}, { fingerprint, disabledAt: null }]);
  });
});
