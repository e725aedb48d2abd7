import { expect, test } from 'vitest';
import { changeKey } from '../../../../consumer/keys/pool/change.ts';
import type { KeyFeedback } from '../../../../consumer/keys/pool/feedback.ts';
import { type BriefKeyAnswer, type KeyCall, type KeyRequest, lease } from '../../../../consumer/keys/pool/lease.ts';
import { noteAsking, notePulled, pull } from '../../../../consumer/keys/pool/line.ts';
import { Pool } from '../../../../consumer/keys/pool/pool.ts';
import { release } from '../../../../consumer/keys/pool/release.ts';

const START = 1_000_000;
const KEY = { number: 1, fingerprint: 'aaaaaaaa' };
const CALL_MS = 1_000;
const HOUR_MS = 3_600_000;

let leases = 0;

interface Asked {
  readonly leaseId: string;
  readonly answers: readonly BriefKeyAnswer[];
}

function ask(pool: Pool, calls: (string | KeyCall)[], now: number, over: Partial<KeyRequest> = {}): Asked {
  const leaseId = `lease-${++leases}`;
  const rest = { isBrief: true, members: [KEY], configured: { concurrency: 1 }, shard: 0, otherShards: [] };
  return { leaseId, answers: lease(pool, { leaseId, expiresAt: now + 600_000, calls, ...rest, ...over }, now) };
}

/** A key is taken by `a`, and `b` stands in line; then `a` ends. */
function lineBehindOneCall(over: Partial<KeyRequest> = {}): Pool {
  const pool = new Pool('llm');
  const { leaseId } = ask(pool, ['a'], START, over);
  expect(ask(pool, [{ task: 'b', mustNotWait: true }], START, over).answers).toMatchObject([{ kind: 'park' }]);
  release(pool, { leaseId, worked: ['a'], reports: [] }, START + CALL_MS);
  return pool;
}

const STOPPED = START + 20_000;
const LIMITS = { concurrency: 1, requestsPerMinute: 600 };

/** A task that has its turn says so of its call. */
function report(pool: Pool, feedback: KeyFeedback): void {
  for (const task of ['c', 'd', 'e']) {
    const calls = [{ task, isInTurn: true, mustNotWait: true }];
    const { leaseId } = ask(pool, calls, STOPPED, { configured: LIMITS });
    release(pool, { leaseId, reports: [{ task, feedback }] }, STOPPED);
  }
}

/** How many are asked of the line now; the ledger wakes them. */
function wake(pool: Pool, now: number, left = true): number {
  const [first] = pull(pool, now).pulls;
  if (first === undefined) return 0;
  noteAsking(pool, first, now);
  notePulled(pool, first, { released: left ? first.request.limit : 0, left }, now);
  return first.request.limit;
}

test('while a line stands newcomers join its end, and the one whose turn it is gets the key', () => {
  const pool = lineBehindOneCall();
  expect(ask(pool, ['newcomer'], START + CALL_MS).answers).toMatchObject([{ kind: 'park', line: 'pool:llm' }]);
  expect(ask(pool, [{ task: 'b', isInTurn: true, hasArrived: true }], START + CALL_MS).answers).toEqual([1]);
});

test('no more wait in place than there will be room for within two seconds', () => {
  const pool = new Pool('llm');
  const configured = { concurrency: 1, requestsPerMinute: 6_000 };
  ask(pool, ['a'], START, { configured });
  const { answers } = ask(pool, ['b', 'c', 'd'], START, { configured });
  expect(answers).toMatchObject([{ kind: 'start-at' }, { kind: 'park' }, { kind: 'park' }]);
});

test('a woken task waits in place longer than a newcomer: it was woken because its turn comes', () => {
  const pool = new Pool('llm');
  const { leaseId } = ask(pool, ['a'], START);
  const feedback = { kind: 'limited', quota: false, resetAt: START + 4_000 } as const;
  release(pool, { leaseId, reports: [{ task: 'a', feedback }] }, START + 10);
  expect(ask(pool, ['newcomer'], START + 20).answers).toMatchObject([{ kind: 'park' }]);
  const woken = { task: 'b', isInTurn: true, hasArrived: true };
  expect(ask(pool, [woken], START + 20).answers).toMatchObject([{ kind: 'start-at', at: START + 4_000 }]);
});

test('a woken task that never comes keeps its room for half a minute only', () => {
  const pool = lineBehindOneCall();
  const times = [CALL_MS, 2_000, 29_000, 32_000].map((after) => START + after);
  expect(times.map((now) => wake(pool, now))).toEqual([1, 0, 0, 1]);
});

test('the line is asked later and later as long as all who are woken only come to wait again', () => {
  const pool = lineBehindOneCall();
  // Calls were short, and this one is not: room is expected where there is none.
  for (let now = START + 1_000, call = 0; call < 60; now += 50, call++) {
    const { leaseId } = ask(pool, [{ task: 'short', isInTurn: true }], now);
    release(pool, { leaseId, worked: ['short'], reports: [] }, now + 50);
  }
  const from = START + 10_000;
  ask(pool, [{ task: 'long', isInTurn: true }], from);
  let woken = 0;
  for (let now = from; now < from + 60_000; now += 50) {
    if (wake(pool, now) === 0) continue;
    woken += 1;
    for (const { count } of [...(pool.lines.get('')?.coming ?? [])]) {
      const calls = Array.from({ length: count }, () => ({
        task: 'b',
        isInTurn: true,
        hasArrived: true,
        mustNotWait: true,
      }));
      expect(ask(pool, calls, now).answers[0]).toMatchObject({ kind: 'park' });
    }
  }
  expect(woken).toBeGreaterThan(10);
  expect(woken).toBeLessThan(60);
});

test('a line that the ledger finds empty stands until the rows of those who were told to join it are written', () => {
  const pool = lineBehindOneCall();
  wake(pool, START + CALL_MS, false);
  expect(pool.lines.size).toBe(1);
  wake(pool, START + 4_000, false);
  expect(pool.lines.size).toBe(0);
});

test('the pace of a line is that of the keys that take calls', () => {
  const pool = new Pool('llm');
  const members = ['a', 'b', 'c', 'd'].map((letter, index) => ({ number: index + 1, fingerprint: letter.repeat(8) }));
  const over = { members, configured: { requestsPerMinute: 60 } };
  const tasks = ['t1', 't2', 't3', 't4'];
  const { leaseId, answers } = ask(pool, tasks, START, over);
  expect([...answers].sort()).toEqual([1, 2, 3, 4]);
  ask(pool, [{ task: 'waits', mustNotWait: true, isInTurn: true }, ...Array(300).fill('more')], START, over);
  const pace = (now: number) => pull(pool, now).pulls[0]?.request.perSecond;
  expect(pace(START + 100_000)).toBeCloseTo(4);
  const taskOf = (key: number) => tasks[answers.indexOf(key)] ?? '';
  const refused = { kind: 'refused', httpStatus: 401, about: 'key' } as const;
  const closed = { kind: 'limited', resetAt: START + 3_600_000, quota: true } as const;
  const reports = [
    { task: taskOf(1), feedback: refused },
    { task: taskOf(2), feedback: closed },
  ];
  release(pool, { leaseId, worked: [taskOf(3), taskOf(4)], reports }, START + CALL_MS);
  expect(pace(START + 100_000)).toBeCloseTo(2);
});

test.each([
  { what: 'switched off', reason: undefined, stop: (pool: Pool) => changeKey(pool, 1, 'disable', STOPPED) },
  {
    what: 'refused',
    reason: 'key-refused',
    stop: (pool: Pool) => report(pool, { kind: 'refused', httpStatus: 401, about: 'key' }),
  },
  {
    what: 'closed for an hour',
    reason: undefined,
    stop: (pool: Pool) => report(pool, { kind: 'limited', quota: true, resetAt: STOPPED + HOUR_MS }),
  },
])('when all keys are $what the ledger is told once that the line has stopped, and why', ({ stop, reason }) => {
  const pool = lineBehindOneCall({ configured: LIMITS });
  expect(wake(pool, STOPPED - CALL_MS)).toBeGreaterThan(0);
  stop(pool);
  const asked = [1, 2, 3].flatMap((seconds) => {
    const { pulls } = pull(pool, STOPPED + seconds * 1_000);
    for (const each of pulls) notePulled(pool, each, { released: 1, left: true }, STOPPED + seconds * 1_000);
    return pulls.map(({ request }) => request);
  });
  expect(asked[0]).toMatchObject({ line: 'pool:llm', limit: 1, perSecond: 0 });
  expect(asked[0]?.reason).toBe(reason);
  if (reason === undefined) expect(asked).toHaveLength(1);
});

test('another shard is shown the line without a pace: it knows its own', () => {
  const pool = lineBehindOneCall({ configured: { requestsPerMinute: 1 }, otherShards: [1] });
  const { pulls } = pull(pool, START + 20_000);
  expect(pulls.filter(({ of }) => of === 'other').map(({ request }) => request)).toEqual([
    { line: 'pool:llm', limit: 1, shard: 1 },
  ]);
});

test('keys that share a quota make room once', () => {
  const members = [KEY, { number: 2, fingerprint: 'bbbbbbbb' }].map((key) => ({ ...key, group: 'team' }));
  expect(wake(lineBehindOneCall({ members }), START + CALL_MS)).toBe(1);
});

test('one task is woken for a key that has refused one and is to be tried', () => {
  const pool = new Pool('llm');
  const configured = { concurrency: 10, requestsPerMinute: 600 };
  const tasks = Array.from({ length: 10 }, (_, index) => `task-${index}`);
  const { leaseId } = ask(pool, tasks, START, { configured });
  ask(pool, [{ task: 'b', mustNotWait: true }], START, { configured });
  const refused = { kind: 'refused', httpStatus: 403, about: 'key' } as const;
  const reports = tasks.map((task, index) => ({
    task,
    feedback: index === 0 ? refused : ({ kind: 'unknown' } as const),
  }));
  release(pool, { leaseId, reports }, START + CALL_MS);
  expect(wake(pool, START + CALL_MS)).toBe(1);
});

test('while no limit is known, no key of a pool is called more often than the first has borne', () => {
  const pool = new Pool('llm');
  const members = ['a', 'b', 'c', 'd'].map((name, index) => ({ number: index + 1, fingerprint: name.repeat(8) }));
  const names = Array.from({ length: 40 }, (_, index) => `tsk_${index}`);
  const counts = [0, 0, 0, 0];
  for (const round of [0, 1]) {
    const now = START + round * 100;
    const { leaseId, answers } = ask(pool, names, now, { members, configured: {} });
    for (const answer of answers) if (typeof answer === 'number') counts[answer - 1] = (counts[answer - 1] ?? 0) + 1;
    const granted = names.filter((_, index) => typeof answers[index] === 'number');
    release(pool, { leaseId, worked: granted, reports: [] }, now + 50);
  }
  const [first = 0, ...others] = counts.toSorted((a, b) => b - a);
  expect(first).toBeGreaterThan(Math.max(...others));
  expect(Math.max(...others)).toBeLessThanOrEqual(2);
});

test('woken tasks that went elsewhere leave their room to those behind them', () => {
  const pool = lineBehindOneCall();
  const now = START + CALL_MS + 500;
  const woken = wake(pool, now);
  expect(woken).toBeGreaterThan(0);
  expect(wake(pool, now + 5_000)).toBe(0);
  release(pool, { leaseId: '', reports: [], elsewhere: Array(woken).fill('') }, now + 5_000);
  expect(wake(pool, now + 5_000)).toBeGreaterThan(0);
});
