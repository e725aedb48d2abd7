import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it } from 'vitest';
import { importMacKey } from '../../../shared/crypto/mac.ts';
import { claimTasks } from '../../../shared/store/claim.ts';
import {
  type LineHead,
  makeOverdueHeadsDue,
  readLineHeads,
  readLinePosition,
  readLines,
  releaseDueHeads,
  releaseParkedAmong,
  releaseParkedTasks,
} from '../../../shared/store/parking.ts';
import { recordTransitions } from '../../../shared/store/transitions.ts';
import { mintTaskId } from '../../../shared/task/id.ts';
import type { TaskState } from '../../../shared/task/state.ts';
import { countedDatabase } from './counted-database.ts';

const NOW = Date.UTC(2026, 10, 20);
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const POLICY = { maxAttempts: 3, baseSeconds: 2, capSeconds: 60 };
const key = await importMacKey(env.ID_SECRET);

beforeEach(async () => {
  await env.DB.batch([env.DB.prepare('DELETE FROM tasks'), env.DB.prepare('DELETE FROM lines')]);
});

const counters = (run: number, deferrals: number) => ({
  run,
  deferrals,
  attemptsOffset: 0,
  policy: POLICY,
  deadlineAt: NOW + DAY_MS,
});

async function claim(
  db: D1Database,
  ids: readonly string[],
  nonce: string,
  now: number,
  { subject = 'alice', request = '{}' } = {},
): Promise<void> {
  const task = { subject, service: 'echo', policy: POLICY, deadlineAt: NOW + DAY_MS, request };
  await claimTasks(db, { nonce, claims: ids.map((id) => ({ id, leaseMs: 61_000, task })) }, now);
}

async function move(db: D1Database, ids: readonly string[], run: number, next: TaskState): Promise<void> {
  const expected = { status: 'running', run } as const;
  await recordTransitions(
    db,
    ids.map((id) => ({ id, expected, next, park: { at: NOW, isAgain: false } })),
  );
}

const parkedFor = (line: string, fallbackMs: number): TaskState => ({
  ...counters(1, 1),
  status: 'deferred',
  reason: 'no-key',
  nextAt: NOW + fallbackMs,
  parkedFor: line,
});

async function placeOf(id: string): Promise<LineHead> {
  const head = await env.DB.prepare('SELECT id, place FROM tasks WHERE id = ?1').bind(id).first<LineHead>();
  if (head === null) throw new Error(`${id} has no row`);
  return head;
}

async function parked(count: number, line = 'pool:some', fallbackMs = MINUTE_MS, db = env.DB): Promise<string[]> {
  const ids = await Promise.all(Array.from({ length: count }, () => mintTaskId(key, 'alice', NOW, 0)));
  await claim(env.DB, ids, 'nonce-of-the-first-claim', NOW);
  await move(db, ids, 1, parkedFor(line, fallbackMs));
  return ids.sort();
}

/** In parts, as batches are. @returns the one that stands last */
async function parkedInParts(count: number, submitter: { subject: string; request?: string }): Promise<LineHead> {
  let last = '';
  for (let from = 0; from < count; from += 100) {
    const mint = () => mintTaskId(key, submitter.subject, NOW + from, 0);
    const ids = await Promise.all(Array.from({ length: Math.min(100, count - from) }, mint));
    await claim(env.DB, ids, `nonce-of-${submitter.subject}-${from}`, NOW, submitter);
    await move(env.DB, ids, 1, parkedFor('pool:some', MINUTE_MS));
    last = ids.sort().at(-1)!;
  }
  return await placeOf(last);
}

describe('the rows of a task that waits in line', () => {
  it('are five from its first claim to its end, and one for all that were parked together', async () => {
    const counted = countedDatabase();
    const ids = await parked(20, 'pool:some', MINUTE_MS, counted.db);
    const later = NOW + 10 * 3600_000;
    await releaseParkedTasks(counted.db, 'pool:some', 100, undefined, later);
    await claim(counted.db, ids, 'nonce-of-the-second-claim', later);
    await move(counted.db, ids, 2, { ...counters(2, 1), status: 'succeeded', finishedAt: later + 1 });
    expect(counted.rowsWritten).toBe(5 * 20 + 1);
  });

  it("are one more only when its fallback is its deadline: then the sweeper's index leads to it", async () => {
    const counted = countedDatabase();
    await parked(1, 'pool:some', DAY_MS, counted.db);
    expect(counted.rowsWritten).toBe(3 + 1);
  });
});

describe('a line', () => {
  it('is found however many stand in it', async () => {
    await parked(5, 'pool:b');
    await parked(1, 'pool:a');
    await parked(3, 'service:ocr');
    expect(await readLines(env.DB, '', 10)).toEqual(['pool:a', 'pool:b', 'service:ocr']);
    expect(await readLines(env.DB, 'pool:a', 1)).toEqual(['pool:b']);
    expect(await readLines(env.DB, 'service:ocr', 10)).toEqual([]);
  });

  it('costs a release the same rows, however many stand in it', async () => {
    const readFor = async (length: number) => {
      const ids = await parked(length, `pool:of-${length}`);
      const counted = countedDatabase();
      await releaseParkedTasks(counted.db, `pool:of-${length}`, 5, undefined, NOW);
      await releaseParkedAmong(counted.db, `pool:of-${length}`, ids.slice(-5), NOW);
      return counted.rowsRead;
    };
    const short = await readFor(20);
    expect(await readFor(400)).toBe(short);
  });

  it('has its head woken at the fallback, which grows from time to time', async () => {
    const [head] = await parked(3);
    const due = async (now: number) => (await releaseDueHeads(env.DB, ['pool:some'], now)).map(({ id }) => id);
    expect(await due(NOW + MINUTE_MS - 1)).toEqual([]);
    const sentAt: number[] = [];
    for (let minute = 0; minute < 260; minute++) {
      if ((await due(NOW + minute * MINUTE_MS)).length > 0) sentAt.push(minute);
    }
    expect(sentAt).toEqual([1, 2, 4, 8, 16, 32, 64, 124, 184, 244]);
    const line = await readLinePosition(env.DB, 'pool:some', await placeOf(head!), NOW);
    expect(line).toMatchObject({ ahead: 0, perSecond: null, rates: [] });
  });

  it.each([
    { isBehind: false, position: 0 },
    { isBehind: true, position: 10 },
  ])('takes a task back at its head, or behind ten where its call was refused: $isBehind', async (again) => {
    const { isBehind, position } = again;
    const ids = await parked(30);
    const { released } = await releaseParkedTasks(env.DB, 'pool:some', 1, undefined, NOW);
    expect(released.map(({ id }) => id)).toEqual([ids[0]]);
    await claim(env.DB, [ids[0]!], 'again', NOW);
    const next: TaskState = { ...parkedFor('pool:some', MINUTE_MS), ...counters(2, 2) } as TaskState;
    const expected = { status: 'running', run: 2 } as const;
    const park = { at: NOW, isAgain: true, isBehind };
    await recordTransitions(env.DB, [{ id: ids[0]!, expected, next, park }]);
    const heads = await readLineHeads(env.DB, 'pool:some', 30, NOW);
    expect(heads.findIndex(({ id }) => id === ids[0])).toBe(position);
  });

  it('has the overdue ones among its first made due, and is told of with them', async () => {
    const first = await parked(3);
    const second = await parked(3, 'pool:other');
    const overdue = [first[0], first[2], second[1]];
    await env.DB.prepare('UPDATE tasks SET deadline_at = ?2 WHERE id IN (SELECT value FROM json_each(?1))')
      .bind(JSON.stringify(overdue), NOW + 2 * MINUTE_MS)
      .run();
    const lines = ['pool:some', 'pool:other'];
    const dueAtDeadline = async () => {
      const rows = env.DB.prepare('SELECT id FROM tasks WHERE due_at = deadline_at ORDER BY id');
      return (await rows.all<{ id: string }>()).results.map(({ id }) => id);
    };
    expect(await makeOverdueHeadsDue(env.DB, lines, 3, NOW + 2 * MINUTE_MS - 1)).toEqual([]);
    expect(await makeOverdueHeadsDue(env.DB, lines, 1, NOW + 2 * MINUTE_MS)).toEqual(['pool:some']);
    expect(await dueAtDeadline()).toEqual([first[0]]);
    expect((await makeOverdueHeadsDue(env.DB, lines, 3, NOW + 2 * MINUTE_MS)).sort()).toEqual(lines.sort());
    expect(await dueAtDeadline()).toEqual(overdue.sort());
  });

  it('costs a few rows a look at its head, however many stand in it', async () => {
    const lines = Array.from({ length: 20 }, (_, index) => `pool:of-${index}`);
    for (const line of lines) await parked(30, line);
    const rowsFor = async (depth: number) => {
      const counted = countedDatabase();
      await makeOverdueHeadsDue(counted.db, lines, depth, NOW + MINUTE_MS);
      return counted.rowsRead / (depth * lines.length);
    };
    expect(await rowsFor(1)).toBeLessThan(6);
    expect(await rowsFor(20)).toBeLessThan(5);
  });

  it('says about how many stand before a task that is further back than is counted', async () => {
    await env.DB.prepare('DELETE FROM line_turns').run();
    const aheadOf = async (task: LineHead) => (await readLinePosition(env.DB, 'pool:some', task, NOW)).ahead;
    const last = await parkedInParts(1_500, { subject: 'alice' });
    expect(await aheadOf(last)).toBe(1_499);
    const other = await parkedInParts(700, { subject: 'bob' });
    // Who comes new begins ten places before the head.
    expect(await aheadOf(last)).toBe(1_499 + 700 + 10);
    expect(Math.abs((await aheadOf(other)) - 699 - 690)).toBeLessThanOrEqual(20);
    await releaseParkedTasks(env.DB, 'pool:some', 400, undefined, NOW);
    const released = await env.DB.prepare('SELECT id FROM tasks WHERE released_at IS NOT NULL').all<{ id: string }>();
    await claim(
      env.DB,
      released.results.map(({ id }) => id),
      'nonce-of-a-second-claim',
      NOW,
    );
    expect(Math.abs((await aheadOf(last)) - 1_799)).toBeLessThanOrEqual(20);
    const low = await parkedInParts(1_100, { subject: 'carol', request: '{"priority":3}' });
    expect(Math.abs((await aheadOf(low)) - 1_799 - 1_100)).toBeLessThanOrEqual(60);
  });

  it('says who stands before a task, and how fast it moves while somebody has said so of late', async () => {
    const ids = await parked(4);
    await releaseParkedTasks(env.DB, 'pool:some', 1, { perSecond: 2.5, mover: 'shard1' }, NOW);
    const last = await placeOf(ids[3]!);
    const rates = [{ mover: 'shard1', perSecond: 2.5, at: NOW }];
    expect(await readLinePosition(env.DB, 'pool:some', last, NOW - 1)).toMatchObject({
      ahead: 3,
      perSecond: 2.5,
      rates,
    });
    const old = await readLinePosition(env.DB, 'pool:some', last, NOW + 1);
    expect(old).toMatchObject({ ahead: 3, perSecond: null, rates: [] });
  });

  it('says what its head was told last', async () => {
    const ids = await parked(2);
    const told = { opensAt: NOW + DAY_MS, opensOn: '0' };
    const write = env.DB.prepare('UPDATE tasks SET history = ?2 WHERE id = ?1');
    await write.bind(ids[0], JSON.stringify([{ opensAt: NOW }, told])).run();
    const { headAttempt } = await readLinePosition(env.DB, 'pool:some', await placeOf(ids[1]!), NOW);
    expect(JSON.parse(headAttempt!)).toEqual(told);
  });

  it('has its pace written every ten seconds, and at once when it has changed by more than a fifth', async () => {
    const counted = countedDatabase();
    await parked(1);
    const release = (perSecond: number, second: number) =>
      releaseParkedTasks(counted.db, 'pool:other', 1, { perSecond, mover: 'shard1' }, NOW + second * 1000);
    for (let second = 0; second < 25; second++) await release(20 + second / 10, second);
    expect(counted.rowsWritten).toBe(3);
    await release(17, 26);
    expect(counted.rowsWritten).toBe(4);
    await release(14, 27);
    expect(counted.rowsWritten).toBe(5);
  });
});
