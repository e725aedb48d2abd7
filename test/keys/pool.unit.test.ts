import { describe, expect, it } from 'vitest';
import { changeKey } from '../../consumer/keys/pool/change.ts';
import { giveBack } from '../../consumer/keys/pool/give-back.ts';
import { type KeyDecision, type LeaseRequest, lease } from '../../consumer/keys/pool/lease.ts';
import { recall, remember } from '../../consumer/keys/pool/memory.ts';
import { emptyPool, type Pool, type RosterEntry } from '../../consumer/keys/pool/pool.ts';
import type { KeyVerdict, LimitFacts } from '../../consumer/keys/pool/verdict.ts';
import { viewOf } from '../../consumer/keys/pool/view.ts';
import {
  fixedWindow,
  keyId,
  type Provider,
  seededRandom,
  simulate,
  slidingWindow,
  T0,
  tokenBucket,
} from './simulation.ts';

const roster = (count: number, group?: string): RosterEntry[] =>
  Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    fingerprint: `key-${index + 1}`,
    ...(group !== undefined && { group }),
  }));

let blocks = 0;
function take(
  pool: Pool,
  keys: readonly RosterEntry[],
  tasks: readonly string[],
  now: number,
  over: Partial<LeaseRequest> = {},
): { block: string; decisions: readonly KeyDecision[]; keyOf: (task: string) => number | undefined } {
  const block = `block ${blocks++}`;
  const { decisions } = lease(
    pool,
    {
      block,
      expiresAt: now + 60_000,
      tasks: tasks.map((id) => ({ id, waits: 0 })),
      roster: keys,
      configured: {},
      elsewhere: [],
      incoming: 0,
      ...over,
    },
    now,
  );
  const keyOf = (task: string) => {
    const decision = decisions.find((each) => each.task === task);
    return decision?.is === 'granted' ? decision.key : undefined;
  };
  return { block, decisions, keyOf };
}

function tell(pool: Pool, block: string, task: string, verdict: KeyVerdict, now: number, facts?: LimitFacts) {
  const report = { task, startedAt: now - 1, endedAt: now, verdict, ...(facts && { facts }) };
  return giveBack(pool, { block, reports: [report] }, now);
}

const limited = (resetAt?: number): KeyVerdict => ({ kind: 'limited', quota: false, resetAt });
const refused: KeyVerdict = { kind: 'refused', httpStatus: 401 };
const worked: KeyVerdict = { kind: 'worked' };

describe('a cooldown', () => {
  it('lasts until the time that was said, and only ever gets longer', () => {
    const pool = emptyPool();
    const keys = roster(1);
    const { block } = take(pool, keys, ['a', 'b', 'c'], T0);
    tell(pool, block, 'a', limited(T0 + 60_000), T0);
    tell(pool, block, 'b', limited(T0 + 20_000), T0 + 1);
    expect(viewOf(pool, T0 + 2)[0]).toMatchObject({ state: 'cooling', until: T0 + 60_000 });
    tell(pool, block, 'c', limited(T0 + 90_000), T0 + 3);
    expect(viewOf(pool, T0 + 4)[0]).toMatchObject({ until: T0 + 90_000 });
    expect(viewOf(pool, T0 + 90_000)[0]).toMatchObject({ state: 'ready' });
  });

  it('doubles by default while nothing works, once for all calls under way together', () => {
    const pool = emptyPool();
    const keys = roster(1);
    let now = T0;
    const cooldowns: number[] = [];
    for (let round = 0; round < 4; round++) {
      const { block } = take(pool, keys, ['a', 'b'], now, { tasks: ['a', 'b'].map((id) => ({ id, waits: 1 })) });
      for (const task of ['a', 'b']) tell(pool, block, task, limited(), now + 10);
      const until = viewOf(pool, now + 11)[0]?.until ?? 0;
      cooldowns.push(until - now - 10);
      // A minute later there is room again, whatever was learnt.
      now = Math.max(until, now + 61_000);
    }
    expect(cooldowns).toEqual([2_000, 4_000, 8_000, 16_000]);
  });

  it('does not spin on Retry-After: 0', () => {
    const pool = emptyPool();
    const { block } = take(pool, roster(1), ['a'], T0);
    tell(pool, block, 'a', limited(T0), T0);
    expect(viewOf(pool, T0)[0]?.state).toBe('cooling');
  });

  it('is shared by the keys of a group, and by no others', () => {
    const pool = emptyPool();
    const keys = [...roster(2, 'group org'), { number: 3, fingerprint: 'key-3' }];
    const { block } = take(pool, keys, ['a'], T0);
    tell(pool, block, 'a', limited(T0 + 60_000), T0);
    expect(viewOf(pool, T0).map(({ state }) => state)).toEqual(['cooling', 'cooling', 'ready']);
  });

  it('of a used-up quota lasts an hour when nothing is said', () => {
    const pool = emptyPool();
    const { block } = take(pool, roster(1), ['a'], T0);
    const { notices } = tell(pool, block, 'a', { kind: 'limited', quota: true, resetAt: undefined }, T0);
    expect(viewOf(pool, T0)[0]).toMatchObject({ why: 'quota-exhausted', until: T0 + 3_600_000 });
    expect(notices).toMatchObject([{ kind: 'quota-exhausted', key: 1 }]);
  });

  it('survives a restart, with what was learnt and who was refused', () => {
    const pool = emptyPool();
    const keys = roster(3);
    const { block, keyOf } = take(pool, keys, ['a', 'b', 'c'], T0);
    tell(pool, block, 'a', limited(T0 + 600_000), T0);
    tell(pool, block, 'b', refused, T0);
    changeKey(pool, keyOf('c') ?? 0, 'disable', T0);
    const before = viewOf(pool, T0 + 1);

    const restarted = emptyPool();
    recall(restarted, remember(pool, T0 + 1));
    take(restarted, keys, [], T0 + 1);
    const essence = (views: typeof before) =>
      views.map(({ number, state, until, why }) => ({ number, state, until, why }));
    expect(essence(viewOf(restarted, T0 + 1))).toEqual(essence(before));
    expect(JSON.stringify(remember(pool, T0))).not.toContain('"value":"{\\"value');
  });
});

describe('a refused key', () => {
  it('is taken out of use once, and probed by one other task at growing intervals', () => {
    const pool = emptyPool();
    const keys = roster(1);
    const first = take(pool, keys, ['a'], T0);
    expect(tell(pool, first.block, 'a', refused, T0).notices).toMatchObject([{ kind: 'refused', key: 1 }]);
    expect(take(pool, keys, ['b'], T0 + 1_000).keyOf('b')).toBeUndefined();

    const probeAts: number[] = [];
    let now = T0;
    for (let probe = 0; probe < 6; probe++) {
      const probeAt = viewOf(pool, now)[0]?.until ?? 0;
      probeAts.push((probeAt - now) / 1_000);
      now = probeAt;
      const tasks = ['a', `b${probe}`, `c${probe}`];
      const { block, keyOf } = take(pool, keys, tasks, now);
      // One, and not the task that it was refused for, for an hour.
      const isForgiven = now - T0 > 3_600_000;
      const prober = isForgiven ? 'a' : `b${probe}`;
      expect(tasks.map((task) => keyOf(task) !== undefined)).toEqual(tasks.map((task) => task === prober));
      expect(tell(pool, block, prober, refused, now).notices).toEqual([]);
    }
    expect(probeAts).toEqual([2, 30, 120, 480, 1_920, 3_600]);
    const next = take(pool, keys, ['z'], viewOf(pool, now)[0]?.until ?? 0);
    tell(pool, next.block, 'z', worked, now + 3_600_000);
    expect(viewOf(pool, now + 3_600_000)[0]).toMatchObject({ state: 'ready' });
  });

  it('is not to blame when it works for others: the second one fails the task, and both are back', () => {
    const pool = emptyPool();
    const keys = roster(2);
    const use = (task: string, verdict: KeyVerdict, now: number) => {
      const { block, keyOf, decisions } = take(pool, keys, [task], now);
      const key = keyOf(task);
      return { key, decisions, answer: key && tell(pool, block, task, verdict, now + 5) };
    };
    const bad = use('bad', refused, T0);
    expect(bad.answer).toMatchObject({ decisions: [{ is: 'waiting' }] });
    const again = use('bad', refused, T0 + 1_000);
    expect(new Set([bad.key, again.key]).size).toBe(2);
    // Both are out; others probe them, and they work.
    for (const task of ['x', 'y']) expect(use(task, worked, T0 + 4_000).key).toBeDefined();
    expect(viewOf(pool, T0 + 5_000).map(({ state }) => state)).toEqual(['ready', 'ready']);
    expect(use('bad', refused, T0 + 6_000).decisions).toEqual([{ task: 'bad', is: 'refused', httpStatus: 401 }]);
  });

  it('stays out when it is the key: tasks are not failed by revoked keys', () => {
    const pool = emptyPool();
    const keys = roster(6);
    const revoked = new Set([1, 2, 3]);
    let now = T0;
    for (let round = 0; round < 40; round++) {
      const tasks = [`t${round}`, 'always'];
      const { block, decisions } = take(pool, keys, tasks, now);
      for (const decision of decisions) {
        expect(decision.is).not.toBe('refused');
        if (decision.is === 'granted') {
          tell(pool, block, decision.task, revoked.has(decision.key) ? refused : worked, now + 5);
        }
      }
      now += 3_000;
    }
    expect(viewOf(pool, now).map(({ state }) => state === 'disabled')).toEqual([true, true, true, false, false, false]);
  });

  it('one bad request never empties a pool', () => {
    const pool = emptyPool();
    const keys = roster(8);
    for (const task of ['w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7', 'w8']) {
      const { block } = take(pool, keys, [task], T0);
      tell(pool, block, task, worked, T0 + 1);
    }
    let out = 0;
    let end: KeyDecision | undefined;
    for (let now = T0 + 1_000; now < T0 + 600_000 && end?.is !== 'refused'; now += 1_000) {
      const { block, decisions } = take(pool, keys, ['bad'], now);
      end = decisions[0];
      if (end?.is === 'granted') end = tell(pool, block, 'bad', { kind: 'refused', httpStatus: 403 }, now).decisions[0];
      out = Math.max(out, viewOf(pool, now).filter(({ state }) => state === 'disabled').length);
    }
    expect(end).toEqual({ task: 'bad', is: 'refused', httpStatus: 403 });
    expect(out).toBeLessThanOrEqual(3);
    expect(viewOf(pool, T0 + 600_000).every(({ state }) => state === 'ready')).toBe(true);
  });
});

describe('leases', () => {
  it('of a consumer that crashed come back', () => {
    const pool = emptyPool();
    const keys = roster(1);
    take(pool, keys, ['a', 'b'], T0);
    expect(viewOf(pool, T0)[0]).toMatchObject({ inFlight: 2 });
    take(pool, keys, [], T0 + 60_000);
    expect(viewOf(pool, T0 + 60_000)[0]).toMatchObject({ inFlight: 0 });
  });

  it('are spread evenly over keys with the same limits', () => {
    const pool = emptyPool();
    const keys = roster(4);
    for (let round = 0; round < 50; round++) {
      const now = T0 + round * 5_000;
      const { block } = take(pool, keys, ['a'], now);
      tell(pool, block, 'a', worked, now + 100);
    }
    const calls = viewOf(pool, T0 + 250_000).map((view) => view.calls);
    expect(Math.max(...calls) - Math.min(...calls)).toBeLessThanOrEqual(1);
  });

  it('halve what is under way when a limit clears soon', () => {
    const pool = emptyPool();
    const keys = roster(1);
    const configured = { requestsPerMinute: 1_000 };
    const tasks = Array.from({ length: 20 }, (_, index) => `t${index}`);
    const { block } = take(pool, keys, tasks, T0, { configured });
    tell(pool, block, 't0', limited(T0 + 5_000), T0 + 10);
    for (const task of tasks.slice(1)) tell(pool, block, task, worked, T0 + 20);
    const next = take(pool, keys, tasks, T0 + 70_000, { configured });
    const granted = next.decisions.filter(({ is }) => is === 'granted').length;
    expect(granted).toBeGreaterThanOrEqual(10);
    expect(granted).toBeLessThan(20);
  });

  it('keep to tokens a minute when the backend reports them', () => {
    const pool = emptyPool();
    const keys = roster(1);
    const { block } = take(pool, keys, ['a'], T0);
    const tokens = { limit: 1_000, remaining: 250, resetAt: T0 + 45_000 };
    tell(pool, block, 'a', worked, T0 + 100, { tokens, tokensUsed: 100 });
    const { decisions } = take(pool, keys, ['b', 'c', 'd'], T0 + 200);
    expect(decisions.map(({ is }) => is)).toEqual(['granted', 'granted', 'waiting']);
    expect(decisions[2]).toMatchObject({ until: T0 + 45_000 });
  });

  it('wait on another shard that has room, and come back for little', () => {
    const pool = emptyPool();
    const keys = roster(1);
    const { block } = take(pool, keys, ['a'], T0);
    tell(pool, block, 'a', limited(T0 + 90_000), T0);
    const there = { shard: 2, room: 2, freeAt: T0 + 10_000, perSecond: 1, bears: null };
    const { decisions } = take(pool, keys, ['b', 'c', 'd', 'e'], T0 + 1_000, { elsewhere: [there] });
    expect(decisions.map((each) => each.is === 'waiting' && [each.shard, each.until - T0])).toEqual([
      [2, 1_000],
      [2, 1_000],
      [2, 10_000],
      [2, 11_000],
    ]);
    const configured = { requestsPerMinute: 600 };
    const soon = take(pool, keys, ['f'], T0 + 88_500, { elsewhere: [there], configured });
    expect(soon.decisions).toMatchObject([{ is: 'waiting' }]);
    expect(soon.decisions[0]).not.toHaveProperty('shard');
  });
});

describe('the line of tasks that wait', () => {
  const configured = { requestsPerMinute: 4 };
  const keys = roster(2);
  const names = (count: number, prefix: string) => Array.from({ length: count }, (_, index) => `${prefix}${index}`);
  const inLine = ({ quotas }: Pool) => [...quotas.values()].flatMap(({ promised }) => promised);
  const lengthOf = (pool: Pool) => inLine(pool).reduce((sum, { count }) => sum + count, 0);
  const backWith = (tasks: readonly string[], over: Partial<LeaseRequest> = {}): Partial<LeaseRequest> => ({
    tasks: tasks.map((id) => ({ id, waits: 1 })),
    configured,
    ...over,
  });

  /** Eight tasks work, four wait. */
  function crowded(): Pool {
    const pool = emptyPool();
    take(pool, keys, names(12, 't'), T0, { configured });
    return pool;
  }

  it('is as long as tasks wait when a promise became void: who comes then takes the place of no other', () => {
    const pool = emptyPool();
    const only = roster(1);
    const { block, decisions } = take(pool, only, names(6, 't'), T0, { configured });
    const waiting = decisions.flatMap((decision) => (decision.is === 'waiting' ? [decision] : []));
    expect(waiting.map(({ until }) => until - T0)).toEqual([60_400, 75_400]);
    tell(pool, block, 't0', limited(T0 + 70_000), T0 + 10);
    take(pool, only, [], T0 + 1_000, { configured, incoming: 1 });
    // One waits as before, one was limited, one is on its way; the first is placed when it comes.
    expect(lengthOf(pool)).toBe(3);
    take(pool, only, [], T0 + 60_500, backWith([waiting[0]?.task ?? '']));
    expect(lengthOf(pool)).toBe(4);
  });

  it('is as long as tasks wait when one comes before its place and finds a key', () => {
    const pool = emptyPool();
    take(pool, keys, names(8, 't'), T0, { configured });
    take(pool, keys, [], T0 + 1_000, { configured, incoming: 3 });
    expect(inLine(pool).map(({ at }) => at - T0)).toEqual([60_400, 75_400, 60_400]);
    const early = take(pool, keys, [], T0 + 60_500, backWith(['a', 'b', 'c']));
    expect(early.decisions.map(({ is }) => is)).toEqual(['granted', 'granted', 'granted']);
    expect(lengthOf(pool)).toBe(0);
  });

  it('moves on who came early from another shard, where the line has become shorter', () => {
    const pool = crowded();
    take(pool, keys, [], T0 + 1_000, backWith([], { incoming: 2 }));
    const last = Math.max(...inLine(pool).map(({ at }) => at));
    const there = (gainMs: number) => [{ shard: 2, room: 0, freeAt: last - gainMs, perSecond: 1, bears: null }];
    const stays = take(pool, keys, [], T0 + 2_000, backWith(['a'], { elsewhere: there(2_000) }));
    expect(stays.decisions[0]).not.toHaveProperty('shard');
    const moves = take(pool, keys, [], T0 + 2_000, backWith(['b'], { elsewhere: there(4_000) }));
    expect(moves.decisions).toMatchObject([{ is: 'waiting', shard: 2, until: last - 4_000 }]);
    expect(lengthOf(pool)).toBe(5);
  });

  it('is what others are told of, not the room beside it', () => {
    const pool = crowded();
    const { outlook } = tell(pool, 'none', 'none', worked, T0 + 60_700);
    expect(outlook.room).toBe(0);
    expect(outlook.freeAt).toBeGreaterThan(Math.min(...inLine(pool).map(({ at }) => at)) + 15_000);
    const later = tell(pool, 'none', 'none', worked, T0 + 180_000);
    expect(later.outlook.room).toBe(8);
  });

  it('sends nobody far while another shard is still finding out what its keys bear', () => {
    const loose = { shard: 1, room: 0, freeAt: null, perSecond: 20, bears: null };
    const untilWith = (elsewhere: LeaseRequest['elsewhere']) => {
      const [decision] = take(crowded(), keys, ['n'], T0 + 1_000, { configured, elsewhere }).decisions;
      return decision?.is === 'waiting' ? decision.until - T0 : undefined;
    };
    expect(untilWith([])).toBeGreaterThan(60_000);
    expect(untilWith([loose])).toBeLessThan(10_000);
  });
});

describe('under any schedule', () => {
  it('no key is called while it cools or is switched off, and no cooldown shortens', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      const pool = emptyPool();
      const keys = roster(1 + Math.floor(random() * 5));
      const open: { block: string; task: string; leasedAt: number }[] = [];
      const coolingUntil = new Map<number, number>();
      let now = T0;
      for (let step = 0; step < 300; step++) {
        now += Math.floor(random() * 4_000);
        if (random() < 0.5) {
          const tasks = Array.from({ length: 1 + Math.floor(random() * 6) }, (_, index) => `t${step}-${index}`);
          const unusable = viewOf(pool, now).filter(
            ({ state, until }) => state === 'cooling' || (state === 'disabled' && (until ?? Infinity) > now),
          );
          const { block, decisions } = take(pool, keys, tasks, now, {
            tasks: tasks.map((id) => ({ id, waits: Math.floor(random() * 3) })),
          });
          for (const decision of decisions) {
            if (decision.is === 'waiting') expect(decision.until).toBeGreaterThanOrEqual(now);
            if (decision.is !== 'granted') continue;
            expect(unusable.map(({ number }) => number)).not.toContain(decision.key);
            open.push({ block, task: decision.task, leasedAt: now });
          }
        } else if (open.length > 0) {
          const [call] = open.splice(Math.floor(random() * open.length), 1);
          if (call === undefined) continue;
          const dice = random();
          const verdict: KeyVerdict =
            dice < 0.6
              ? worked
              : dice < 0.8
                ? limited(random() < 0.5 ? now + Math.floor(random() * 60_000) : undefined)
                : dice < 0.9
                  ? { kind: 'refused', httpStatus: 403 }
                  : { kind: dice < 0.95 ? 'unknown' : 'unused' };
          tell(pool, call.block, call.task, verdict, now);
        } else if (random() < 0.2) {
          changeKey(pool, 1, random() < 0.5 ? 'disable' : 'enable', now);
        }
        for (const { number, state, until = 0 } of viewOf(pool, now)) {
          const before = coolingUntil.get(number) ?? 0;
          if (before > now && state === 'cooling') expect(until).toBeGreaterThanOrEqual(before);
          if (before > now) expect(state).not.toBe('ready');
          coolingUntil.set(number, state === 'cooling' ? until : 0);
        }
        // Evicted now and then: the promises above hold all the same.
        if (random() < 0.02) {
          const restarted = emptyPool();
          recall(restarted, remember(pool, now));
          Object.assign(pool, restarted);
          take(pool, keys, [], now);
          open.length = 0;
        }
      }
    }
  });

  it('a configured limit is never passed, in any window, and its time is used', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const random = seededRandom(seed);
      const limit = 5 + Math.floor(random() * 60);
      const shards = Array.from({ length: 1 + Math.floor(random() * 3) }, () => 1 + Math.floor(random() * 6));
      const keys = shards.reduce((sum, count) => sum + count, 0);
      const tasks = Math.floor(keys * limit * (1 + random() * 1.5));
      const spreadMs = random() * 60_000;
      const result = simulate({
        tasks,
        shards,
        seed,
        provider: slidingWindow({ limit, windowMs: 60_000 }),
        configured: { requestsPerMinute: limit },
        arrivalMs: (task) => (task / tasks) * spreadMs,
        concurrentBatches: 1 + Math.floor(random() * 4),
      });
      expect(result.succeeded).toBe(tasks);
      expect(result.limited).toBe(0);
      for (const starts of result.startsByKey.values()) {
        for (let index = limit; index < starts.length; index++) {
          expect((starts[index] ?? 0) - (starts[index - limit] ?? 0)).toBeGreaterThanOrEqual(60_000);
        }
      }
    }
  });
});

describe('2,000 tasks through 20 keys of 60 requests a minute, two of them revoked', () => {
  const revoked = (key: string) => key === keyId(0, 4) || key === keyId(1, 6);
  const rate = { limit: 60, windowMs: 60_000, revoked };
  /** What the limits allow: 2,000 tasks at 18 a second. */
  const ALLOWED_MS = (2_000 / 18) * 1_000;

  const arrivalMs = (task: number) => Math.floor(task / 100) * 30;
  /** A hundred tasks come together, to any shard. */
  const anyShard = (shards: number, seed: number) => {
    const random = seededRandom(seed);
    const chosen = Array.from({ length: 20 }, () => Math.floor(random() * shards));
    return (task: number) => chosen[Math.floor(task / 100)] ?? 0;
  };

  const providers: readonly (readonly [string, () => Provider])[] = [
    ['a sliding window', () => slidingWindow(rate)],
    ['a fixed window', () => fixedWindow(rate)],
    ['a fixed window that is told in headers', () => fixedWindow({ ...rate, headers: true })],
    ['a token bucket', () => tokenBucket(rate)],
  ];
  for (const [name, provider] of providers) {
    for (const shards of [[20], [8, 8, 4]]) {
      it(`with ${name}, on ${shards.length} shards, knowing nothing of the limits`, () => {
        const isRevoked = shards.length === 1 ? (key: string) => key === keyId(0, 4) || key === keyId(0, 14) : revoked;
        const own = shards.length === 1 ? { ...rate, revoked: isRevoked } : rate;
        const result = simulate({
          tasks: 2_000,
          shards,
          provider: shards.length === 1 ? providerLike(name, own) : provider(),
          arrivalMs,
          shardOf: anyShard(shards.length, 2),
        });
        expect(result).toMatchObject({ succeeded: 2_000, failed: 0 });
        expect(result.endedAt / ALLOWED_MS).toBeLessThan(1.15);
        expect(result.limited / result.calls).toBeLessThan(0.02);
        const used = [...result.okByKey.values()];
        expect(used).toHaveLength(18);
        expect((Math.max(...used) - Math.min(...used)) / (2_000 / 18)).toBeLessThan(0.1);
      });
    }
  }

  const shapes: readonly (readonly [string, readonly number[], readonly string[]])[] = [
    ['one revoked on each of two shards', [8, 8, 4], ['0/4', '1/6']],
    ['both revoked on one', [8, 8, 4], ['0/1', '0/3']],
    ['both revoked on the smallest', [8, 8, 4], ['2/1', '2/3']],
    ['none revoked, a full shard and a single key', [8, 1], []],
  ];
  for (const [name, shards, gone] of shapes) {
    it(`levels the lines, however unevenly tasks come: ${name}`, () => {
      const working = shards.flatMap((count, shard) =>
        Array.from({ length: count }, (_, index) => keyId(shard, index + 1)).filter((key) => !gone.includes(key)),
      );
      const tasks = Math.round((working.length * 2_000) / 18);
      for (let seed = 1; seed <= 12; seed++) {
        const { okByKey, succeeded, endedAt } = simulate({
          tasks,
          shards,
          seed,
          provider: slidingWindow({ limit: 60, windowMs: 60_000, revoked: (key) => gone.includes(key) }),
          arrivalMs,
          shardOf: anyShard(shards.length, seed),
          concurrentBatches: 1 + (seed % 3),
        });
        const used = working.map((key) => okByKey.get(key) ?? 0);
        expect(succeeded).toBe(tasks);
        expect((Math.max(...used) - Math.min(...used)) / (tasks / working.length)).toBeLessThan(0.1);
        expect(endedAt / ALLOWED_MS).toBeLessThan(1.08);
      }
    });
  }

  function providerLike(name: string, own: typeof rate): Provider {
    if (name === 'a sliding window') return slidingWindow(own);
    if (name === 'a token bucket') return tokenBucket(own);
    return fixedWindow({ ...own, headers: name.endsWith('headers') });
  }
});
