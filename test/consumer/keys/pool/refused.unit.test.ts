import { describe, expect, test } from 'vitest';
import { changeKey } from '../../../../consumer/keys/pool/change.ts';
import type { KeyFeedback } from '../../../../consumer/keys/pool/feedback.ts';
import { type KeyAnswer, type KeyCall, lease } from '../../../../consumer/keys/pool/lease.ts';
import { noteAsking, notePulled, type Pull, pull } from '../../../../consumer/keys/pool/line.ts';
import { type Member, Pool } from '../../../../consumer/keys/pool/pool.ts';
import { release } from '../../../../consumer/keys/pool/release.ts';
import { restore, snapshot } from '../../../../consumer/keys/pool/snapshot.ts';

const MEMBERS = [
  { number: 1, fingerprint: 'aaaaaaaa' },
  { number: 2, fingerprint: 'bbbbbbbb' },
];
const START = 1_000_000;
const LINE = 'refused:llm';
const REFUSED: KeyFeedback = { kind: 'refused', httpStatus: 403, about: 'key' };
const WORKED: KeyFeedback = { kind: 'worked' };

let leases = 0;

interface Asked extends Partial<KeyCall> {
  readonly members?: readonly Member[];
  readonly otherShards?: readonly number[];
}

function ask(
  pool: Pool,
  task: string,
  now: number,
  { members = MEMBERS, otherShards = [], ...more }: Asked = {},
): KeyAnswer & { leaseId: string } {
  const leaseId = `lease-${++leases}`;
  const calls = [{ task, ...more }];
  const request = { leaseId, expiresAt: now + 600_000, calls, members, configured: {}, shard: 0, otherShards };
  const [answer] = lease(pool, request, now);
  if (answer === undefined) throw new Error('no answer');
  if (typeof answer === 'number') return { task, kind: 'granted', key: answer, leaseId };
  return { ...answer, leaseId };
}

/** Asks until there is nothing but to stand aside; each call ends with `feedback`. */
function run(pool: Pool, task: string, now: number, feedback: KeyFeedback, asked: Asked = {}): KeyAnswer {
  for (let at = now; ; at += 10) {
    const answer = ask(pool, task, at, { ...asked, mustNotWait: at > now + 100 });
    if (answer.kind === 'start-at') continue;
    if (answer.kind !== 'granted') return answer;
    release(pool, { leaseId: answer.leaseId, reports: [{ task, feedback }] }, at + 5);
    if (feedback.kind === 'worked') return answer;
  }
}

/** What the pool asks of the ledger until then, with the time; each is answered as if one task had been there. @param left more stand there */
function pulls(pool: Pool, from: number, until: number, left = true): { at: number; request: Pull['request'] }[] {
  const asked: { at: number; request: Pull['request'] }[] = [];
  for (let now = from; now <= until; ) {
    const { pulls: due, nextAt } = pull(pool, now);
    for (const each of due) {
      noteAsking(pool, each, now);
      asked.push({ at: now, request: each.request });
      notePulled(pool, each, { released: 1, left }, now);
    }
    // An answer is followed by another look.
    now = due.length > 0 ? now + 50 : Math.max(now + 50, nextAt);
  }
  return asked;
}

describe('a task that all keys refused', () => {
  test('stands aside, and is woken by its name when the keys have worked for others: it is to blame', () => {
    const pool = new Pool('llm');
    expect(run(pool, 'bad', START, REFUSED)).toMatchObject({ kind: 'park', line: LINE, reason: 'key-refused' });
    expect(pulls(pool, START + 200, START + 1_500)).toEqual([]);
    for (const good of ['a', 'b']) run(pool, good, START + 1_600, WORKED);
    const asked = pulls(pool, START + 1_700, START + 10_000, false);
    expect(asked.map(({ request }) => request)).toEqual([{ line: LINE, limit: 1, shard: 0, tasks: ['bad'] }]);
    expect(ask(pool, 'bad', START + 10_100, { isInTurn: true })).toMatchObject({ kind: 'fail', httpStatus: 403 });
  });

  test('is asked once more when they had refused everybody for seconds, and to blame after that', () => {
    const pool = new Pool('llm');
    expect(run(pool, 'bad', START, REFUSED)).toMatchObject({ kind: 'park', reason: 'key-refused' });
    for (const good of ['a', 'b']) run(pool, good, START + 3_000, WORKED);
    expect(run(pool, 'bad', START + 7_000, REFUSED)).toMatchObject({ kind: 'park', reason: 'key-refused' });
    for (const good of ['c', 'd']) run(pool, good, START + 11_000, WORKED);
    expect(ask(pool, 'bad', START + 15_000)).toMatchObject({ kind: 'fail', httpStatus: 403 });
  });

  test('is not woken in between: with nobody else, one tries after pauses that double', () => {
    const pool = new Pool('llm');
    for (const bad of ['x', 'y', 'z']) run(pool, bad, START, REFUSED);
    let tries = 0;
    let now = START + 1_000;
    for (const until = START + 3_600_000; now < until; ) {
      const [first] = pulls(pool, now, now).concat(pulls(pool, now, now + 60_000).slice(0, 1));
      if (first === undefined) {
        now += 60_000;
        continue;
      }
      tries += 1;
      const [task = ''] = first.request.tasks ?? [];
      expect(['x', 'y', 'z']).toContain(task);
      now = first.at + 100;
      const answer = ask(pool, task, now, { isInTurn: true });
      if (answer.kind !== 'granted') continue;
      release(pool, { leaseId: answer.leaseId, reports: [{ task, feedback: REFUSED }] }, now);
      ask(pool, task, now, { isInTurn: true, mustNotWait: true });
    }
    expect(tries).toBeGreaterThan(5);
    expect(tries).toBeLessThan(20);
  });

  test('holds up no newcomer, however long it has been refused', () => {
    const pool = new Pool('llm');
    for (const bad of ['x', 'y', 'z']) run(pool, bad, START, REFUSED);
    for (let round = 1; round < 12; round++) run(pool, 'x', START + 2_000 * 2 ** round, REFUSED);
    expect(ask(pool, 'good', START + 2_000 * 2 ** 11 + 2_000)).toMatchObject({ kind: 'granted' });
  });

  test('is not forgotten when the owner of the pool is evicted', () => {
    const pool = new Pool('llm');
    run(pool, 'bad', START, REFUSED);
    const again = new Pool('llm');
    restore(again, snapshot(pool, START + 1_000), START + 1_000);
    for (const good of ['a', 'b']) run(again, good, START + 5_000, WORKED);
    expect(pulls(again, START + 6_000, START + 6_000)).toMatchObject([{ request: { line: LINE, tasks: ['bad'] } }]);
  });
});

describe('a task that the only key of its shard refused', () => {
  const [FIRST] = MEMBERS;
  const lone = { members: FIRST === undefined ? [] : [FIRST] };

  test('rests while the key works for others: nothing would come of waking it', () => {
    const pool = new Pool('llm');
    run(pool, 'bad', START, REFUSED, lone);
    run(pool, 'good', START + 2_100, WORKED, lone);
    expect(pulls(pool, START + 2_200, START + 3_000_000)).toEqual([]);
  });

  test('is sent to the keys of another shard, once', () => {
    const pool = new Pool('llm');
    const asked = { ...lone, otherShards: [3] };
    run(pool, 'bad', START, REFUSED, asked);
    run(pool, 'good', START + 2_100, WORKED, asked);
    const sent = { line: LINE, limit: 1, shard: 3, tasks: ['bad'] };
    expect(pulls(pool, START + 2_200, START + 10_000, false).map(({ request }) => request)).toEqual([sent]);
    expect(ask(pool, 'bad', START + 20_000, { ...asked, isInTurn: true })).toMatchObject({ kind: 'park', line: LINE });
    expect(pulls(pool, START + 20_000, START + 3_000_000)).toEqual([]);
  });

  test('may start at keys that work, when another shard has put it aside', () => {
    const pool = new Pool('llm');
    run(pool, 'bad', START, REFUSED);
    for (const good of ['a', 'b', 'c', 'd']) run(pool, good, START + 1_600, WORKED);
    const asked = pulls(pool, START + 1_700, START + 60_000).map(({ request }) => request);
    expect(asked[0]).toMatchObject({ tasks: ['bad'] });
    expect(asked[1]).not.toHaveProperty('tasks');
    expect(asked[1]?.limit).toBeGreaterThan(1);
  });
});

test('a key that refused a task is tried by one call at a time, though it has room for many', () => {
  const pool = new Pool('llm');
  const only = { members: MEMBERS.slice(0, 1) };
  run(pool, 'bad', START, REFUSED, only);
  const first = ask(pool, 'a', START + 200, only);
  expect(first).toMatchObject({ kind: 'granted' });
  for (const task of ['b', 'c']) expect(ask(pool, task, START + 200, only).kind).not.toBe('granted');
  release(pool, { leaseId: first.leaseId, reports: [{ task: 'a', feedback: WORKED }] }, START + 300);
  for (const task of ['b', 'c'])
    expect(ask(pool, task, START + 300, { ...only, isInTurn: true })).toMatchObject({ kind: 'granted' });
});

describe('tasks that another key refused', () => {
  /** The first key has refused two tasks. */
  function refusedByTheFirst(): Pool {
    const pool = new Pool('llm');
    for (const [index, task] of ['bad-1', 'bad-2'].entries()) {
      const at = START + index * 100;
      const { leaseId, kind } = ask(pool, task, at, { members: MEMBERS.slice(0, 1) });
      expect(kind).toBe('granted');
      release(pool, { leaseId, reports: [{ task, feedback: REFUSED }] }, at + 5);
    }
    return pool;
  }

  test('have a key one at a time: together they would be refused as if it were the key', () => {
    const pool = refusedByTheFirst();
    expect(ask(pool, 'bad-1', START + 1_000)).toMatchObject({ kind: 'granted', key: 2 });
    expect(ask(pool, 'bad-2', START + 1_001).kind).toBe('start-at');
  });

  test('leave one that is to be tried to others, as long as those come', () => {
    const pool = refusedByTheFirst();
    const isGranted = (at: number) => ask(pool, 'bad-1', at, { mustNotWait: true }).kind === 'granted';
    const other = ask(pool, 'bad-1', START + 1_000);
    release(pool, { leaseId: other.leaseId, reports: [{ task: 'bad-1', feedback: REFUSED }] }, START + 1_005);
    pool.workedAt = START + 6_000;
    expect(isGranted(START + 8_900)).toBe(false);
    expect(isGranted(START + 9_100)).toBe(true);
  });
});

test('a task that one key refused waits aside while the other is limited and the first has room for others', () => {
  const pool = new Pool('llm');
  const [first, second] = MEMBERS.map((member) => ({ members: [member], isInTurn: true }));
  run(pool, 'other', START, { kind: 'limited', quota: false, resetAt: START + 60_000 }, second);
  expect(run(pool, 'bad', START + 200, REFUSED, first)).toMatchObject({ kind: 'park' });
  run(pool, 'good', START + 2_500, WORKED, first);
  const turn = { isInTurn: true, mustNotWait: true };
  expect(ask(pool, 'bad', START + 2_600, turn)).toMatchObject({ kind: 'park', line: LINE });
  const asked = pulls(pool, START + 2_600, START + 130_000).filter(({ request: { line } }) => line === LINE);
  expect(asked.map(({ request: { tasks } }) => tasks)).toEqual([['bad']]);
  expect(asked[0]?.at).toBeGreaterThanOrEqual(START + 58_000);
});

describe('a task that is larger than a key allows', () => {
  const TOO_LARGE: KeyFeedback = { kind: 'too-large', httpStatus: 413 };

  function tryLarge(pool: Pool, now: number, asked: Asked = {}): number {
    const answer = ask(pool, 'large', now, asked);
    release(pool, { leaseId: answer.leaseId, reports: [{ task: 'large', feedback: TOO_LARGE }] }, now + 5);
    return answer.kind === 'granted' ? answer.key : 0;
  }

  test('fails after two keys, and closes neither', () => {
    const pool = new Pool('llm');
    expect([tryLarge(pool, START), tryLarge(pool, START + 10)].sort()).toEqual([1, 2]);
    expect(ask(pool, 'large', START + 20)).toMatchObject({ kind: 'fail', httpStatus: 413 });
    for (const only of MEMBERS)
      expect(ask(pool, 'a', START + 20, { members: [only] })).toMatchObject({ kind: 'granted' });
  });

  /** What the other key says to somebody else. */
  function otherSays(pool: Pool, task: string, feedback: KeyFeedback, now = START + 10): void {
    const { leaseId } = ask(pool, task, now, { members: MEMBERS.slice(1) });
    release(pool, { leaseId, reports: [{ task, feedback }] }, now + 5);
  }

  test.each<[string, (pool: Pool) => unknown]>([
    ['is switched off', (pool) => changeKey(pool, 2, 'disable', START + 10)],
    [
      'refuses everybody',
      (pool) => ['a', 'b'].map((task, index) => otherSays(pool, task, REFUSED, START + 10 * index)),
    ],
    ['has used up its quota', (pool) => otherSays(pool, 'a', { kind: 'limited', quota: true, resetAt: undefined })],
  ])('fails after one where the other %s', (_, putOut) => {
    const pool = new Pool('llm');
    expect(tryLarge(pool, START)).toBe(1);
    putOut(pool);
    expect(ask(pool, 'large', START + 20, { isInTurn: true })).toMatchObject({ kind: 'fail', httpStatus: 413 });
  });

  test('waits aside for a key that has no room, and is woken from the common line by none', () => {
    const pool = new Pool('llm');
    expect(tryLarge(pool, START)).toBe(1);
    otherSays(pool, 'a', { kind: 'limited', quota: false, resetAt: START + 60_000 });
    expect(run(pool, 'large', START + 20, TOO_LARGE)).toMatchObject({ kind: 'park', line: LINE });
    expect(pulls(pool, START + 200, START + 55_000)).toEqual([]);
    const [woken] = pulls(pool, START + 55_000, START + 70_000);
    expect(woken).toMatchObject({ request: { tasks: ['large'] } });
    expect(woken?.at).toBeGreaterThanOrEqual(START + 58_000);
  });
});

describe('a refusal that is about a model', () => {
  const ABOUT_MODEL: KeyFeedback = { kind: 'refused', httpStatus: 404, about: 'bucket' };

  test('is the matter of its bucket: the keys go on in all others', () => {
    const pool = new Pool('llm');
    const first = ask(pool, 'a', START, { bucket: 'large' });
    release(pool, { leaseId: first.leaseId, reports: [{ task: 'a', feedback: ABOUT_MODEL }] }, START + 5);
    const second = ask(pool, 'a', START + 10, { bucket: 'large' });
    expect(second).toMatchObject({ kind: 'granted' });
    expect(second).not.toMatchObject({ key: first.kind === 'granted' ? first.key : 0 });
    const used = ['b', 'c', 'd'].map((task) => ask(pool, task, START + 20, { bucket: 'small' }));
    expect(used.map((answer) => answer.kind === 'granted' && answer.key).sort()).toEqual([1, 1, 2]);
  });

  test('fails the task when no key has the model, and says so', () => {
    const pool = new Pool('llm');
    for (let at = START; at < START + 20; at += 10) {
      const answer = ask(pool, 'a', at, { bucket: 'large' });
      release(pool, { leaseId: answer.leaseId, reports: [{ task: 'a', feedback: ABOUT_MODEL }] }, at + 5);
    }
    const answer = ask(pool, 'a', START + 30, { bucket: 'large', isInTurn: true });
    expect(answer).toMatchObject({ kind: 'fail', httpStatus: 404 });
    expect(answer.kind === 'fail' && answer.detail).toContain('large (404) with every API key');
  });

  const FOUR = [1, 2, 3, 4].map((number) => ({ number, fingerprint: `key-${number}` }));

  test('is asked of all keys before the task fails: another one may have the model', () => {
    const pool = new Pool('llm');
    for (let at = START, refused = 0; ; at += 10) {
      const answer = ask(pool, 'a', at, { bucket: 'large', members: FOUR, isInTurn: true });
      if (answer.kind === 'start-at') continue;
      if (answer.kind === 'fail') {
        expect(refused).toBe(4);
        return;
      }
      expect(answer).toMatchObject({ kind: 'granted' });
      release(pool, { leaseId: answer.leaseId, reports: [{ task: 'a', feedback: ABOUT_MODEL }] }, at + 5);
      refused += 1;
    }
  });

  test('fails each further task of the bucket after one key, and soon', () => {
    const pool = new Pool('llm');
    const tasks = Array.from({ length: 60 }, (_, index) => `task-${index}`);
    const failed = new Set<string>();
    let at = START;
    for (; failed.size < tasks.length && at < START + 120_000; at += 50) {
      for (const task of tasks.filter((each) => !failed.has(each))) {
        const answer = ask(pool, task, at, { bucket: 'large', members: FOUR, isInTurn: true });
        if (answer.kind === 'fail') failed.add(task);
        if (answer.kind !== 'granted') continue;
        release(pool, { leaseId: answer.leaseId, reports: [{ task, feedback: ABOUT_MODEL }] }, at + 5);
      }
    }
    expect(failed.size).toBe(tasks.length);
    expect(at - START).toBeLessThan(60_000);
  });

  test('fails who was refused by the other key when all have refused the bucket', () => {
    const pool = new Pool('llm');
    const first = ask(pool, 'a', START, { bucket: 'large' });
    release(pool, { leaseId: first.leaseId, reports: [{ task: 'a', feedback: ABOUT_MODEL }] }, START + 5);
    const second = ask(pool, 'b', START + 10, { bucket: 'large' });
    expect(run(pool, 'a', START + 20, ABOUT_MODEL, { bucket: 'large' })).toMatchObject({ kind: 'fail' });
    release(pool, { leaseId: second.leaseId, reports: [{ task: 'b', feedback: ABOUT_MODEL }] }, START + 5_000);
    expect(ask(pool, 'b', START + 5_010, { bucket: 'large', isInTurn: true })).toMatchObject({ kind: 'fail' });
  });
});
