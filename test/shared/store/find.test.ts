import { env } from 'cloudflare:workers';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { NewTask } from '../../../shared/message/task-message.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { plantTombstone } from '../../../shared/store/cancellation.ts';
import { claimTasks } from '../../../shared/store/claim.ts';
import { findTasks, forgetFinds, type TaskFilter } from '../../../shared/store/find.ts';
import { smallestTaskIdAt } from '../../../shared/task/id.ts';
import { aTask, idFor } from '../../producer/client.ts';
import { countedDatabase } from './counted-database.ts';

const SPAN_MS = 2 ** 18;
/** Where a span starts. */
const START = Math.ceil(Date.UTC(2026, 10, 1) / SPAN_MS) * SPAN_MS;

async function plant(subject: string, at: number, overrides: Partial<NewTask> = {}): Promise<string> {
  const id = await idFor(subject, at);
  await recordAccepted(env.DB, [aTask(id, subject, overrides)], undefined);
  return id;
}

async function walk(filter: Omit<TaskFilter, 'limit'>, limit = 3, between?: () => Promise<unknown>): Promise<string[]> {
  const ids: string[] = [];
  let before: string | undefined;
  do {
    const page = await findTasks(env.DB, 'id', { ...filter, limit, before });
    ids.push(...page.rows.map(({ id }) => id));
    before = page.nextBefore;
    await between?.();
  } while (before !== undefined);
  return ids;
}

/** Enough of others' tasks from `at` on that a subject with one more has few. */
async function crowd(at: number, tasks = 250): Promise<void> {
  await env.DB.prepare(
    `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2)
     INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at)
     SELECT substr(?1, 1, 28) || printf('%08d', n), 'crowd', 'quick', 'succeeded', 1, 0, 0, 1, 1 FROM numbers`,
  )
    .bind(smallestTaskIdAt(at), tasks)
    .run();
}

const rowsIn = async (table: string) => env.DB.prepare(`SELECT count(*) AS rows FROM ${table}`).first<number>('rows');

beforeEach(async () => {
  await env.DB.batch([env.DB.prepare('DELETE FROM tasks'), env.DB.prepare('DELETE FROM finds')]);
});

describe('what a task costs to be found', () => {
  it('is one row in a span of time for a subject with many of the tasks around, however many it has there', async () => {
    await plant('alice', START - 2);
    await plant('alice', START - 1);
    const before = await rowsIn('finds');
    for (let at = 0; at < 20; at++) await plant('alice', START + SPAN_MS + at);
    expect(await rowsIn('finds')).toBe((before ?? 0) + 1);
    await plant('alice', START + 3 * SPAN_MS);
    expect(await rowsIn('finds')).toBe((before ?? 0) + 2);
  });

  it('is one row a task for a subject with few of the tasks around, and five at most in a span', async () => {
    for (let at = 0; at < 8; at++) {
      await crowd(START + at * 1_000);
      await plant('alice', START + at * 1_000 + 500);
      const own = await env.DB.prepare(`SELECT count(*) AS rows FROM finds WHERE subject = 'alice'`).first('rows');
      expect(own).toBe(Math.min(at + 1, 5));
    }
  });

  it('is the same for tasks that come in one statement', async () => {
    await crowd(START);
    const ids = await Promise.all(Array.from({ length: 20 }, (_, at) => idFor('alice', START + 500 + at)));
    const tasks = ids.map((id) => aTask(id, 'alice'));
    const before = await rowsIn('finds');
    await recordAccepted(env.DB, tasks, undefined);
    expect(await rowsIn('finds')).toBe((before ?? 0) + 3);
    expect(await walk({ subject: 'alice' })).toEqual(ids.toReversed());
  });

  it('is one row for each ref and label that it brings', async () => {
    await plant('alice', START);
    await plant('alice', START + 1, { ref: 'order-77', labels: { customer: 'acme', tier: 'gold' } });
    expect(await rowsIn('finds')).toBe(2 + 3);
  });
});

describe('a subject among many', () => {
  let own: string[];
  beforeAll(() => {
    own = [];
  });

  it('finds all of its tasks page by page, over spans in which it has none', async () => {
    own = [];
    for (let span = 0; span < 90; span++) {
      await plant('bob', START + span * SPAN_MS);
      if (span % 3 === 0) own.push(await plant('alice', START + span * SPAN_MS + 5));
    }
    expect(await walk({ subject: 'alice' })).toEqual(own.toReversed());
    expect(await walk({ subject: 'alice' }, 200)).toEqual(own.toReversed());
    expect(await walk({ subject: 'nobody' })).toEqual([]);
  });

  it('finds all of its tasks where it has few in one span and many in the next, with and without a filter', async () => {
    own = [];
    for (let span = 0; span < 10; span++) {
      for (let at = 0; at < ([1, 7, 4, 5, 2][span % 5] ?? 0); at++) {
        await crowd(START + span * SPAN_MS + at * 1_000);
        own.push(
          await plant('alice', START + span * SPAN_MS + at * 1_000 + 500, { service: at === 0 ? 'ocr' : 'llm' }),
        );
      }
    }
    for (const limit of [1, 4, 50, 200]) expect(await walk({ subject: 'alice' }, limit)).toEqual(own.toReversed());
    expect(await walk({ subject: 'alice', service: 'ocr' })).toHaveLength(10);
    const [from, until] = [START + 3 * SPAN_MS + 1_000, START + 8 * SPAN_MS + 2_000];
    const between = own.filter((id) => id >= smallestTaskIdAt(from) && id < smallestTaskIdAt(until));
    expect(await walk({ subject: 'alice', createdFrom: from, createdBefore: until }, 5)).toEqual(between.toReversed());
  });

  it('finds all of its tasks over more entries than one page looks at', async () => {
    const entries = Array.from({ length: 410 }, (_, at) => smallestTaskIdAt(START + at * (SPAN_MS / 3)));
    await env.DB.prepare(
      `INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at)
       SELECT value, 'alice', 'quick', 'succeeded', 1, 0, 0, 1, 1 FROM json_each(?1)`,
    )
      .bind(JSON.stringify(entries))
      .run();
    await env.DB.batch([
      env.DB.prepare('DELETE FROM finds'),
      env.DB.prepare(`INSERT INTO finds SELECT '', 'alice', value FROM json_each(?1)`).bind(JSON.stringify(entries)),
    ]);
    expect(await walk({ subject: 'alice', statuses: ['failed'] })).toEqual([]);
    expect(await walk({ subject: 'alice' }, 200)).toEqual(entries.toReversed());
  });

  it('reads the rows of its own tasks, and none of others’, where it has few', async () => {
    for (let at = 0; at < 20; at++) {
      await crowd(START + at * (SPAN_MS / 4));
      await plant('alice', START + at * (SPAN_MS / 4) + 500);
    }
    const counted = countedDatabase();
    expect((await findTasks(counted.db, 'summary', { subject: 'alice', limit: 20 })).rows).toHaveLength(20);
    expect(counted.rowsRead).toBeLessThan(150);
  });

  it('reads the tasks of a span that is shorter than the page once more than those of one that fills it', async () => {
    const costOf = async (newer: number) => {
      await env.DB.batch([env.DB.prepare('DELETE FROM tasks'), env.DB.prepare('DELETE FROM finds')]);
      for (let at = 0; at < 50 - newer; at++) await plant('alice', START + at);
      for (let at = 0; at < newer; at++) await plant('alice', START + SPAN_MS + at);
      const counted = countedDatabase();
      expect((await findTasks(counted.db, 'summary', { subject: 'alice', limit: 50 })).rows).toHaveLength(50);
      return counted.rowsRead;
    };
    const [inOne, inTwo] = [await costOf(0), await costOf(20)];
    expect(inOne).toBeLessThanOrEqual(110);
    expect(inTwo - inOne).toBeGreaterThanOrEqual(20);
    expect(inTwo - inOne).toBeLessThan(25);
  });

  it('meets each task once while others come and change', async () => {
    const there: string[] = [];
    for (let at = 0; at < 30; at++) there.push(await plant('alice', START + at * (SPAN_MS / 4)));
    let turn = 0;
    const seen = await walk({ subject: 'alice' }, 4, async () => {
      await plant('alice', START + 100 * SPAN_MS + turn++);
      await env.DB.prepare(`UPDATE tasks SET status = 'cancelled', finished_at = 1 WHERE id = ?1`)
        .bind(there[turn % 30])
        .run();
    });
    expect(seen).toEqual(there.toReversed());
  });
});

describe('filters', () => {
  it('by ref and labels lead to the tasks of the subject that have all of them', async () => {
    const a = await plant('alice', START, { ref: 'r', labels: { customer: 'acme', env: 'prod' } });
    const b = await plant('alice', START + 1, { ref: 'r', labels: { customer: 'acme' } });
    const c = await plant('bob', START + 2, { ref: 'r', labels: { customer: 'acme' } });
    await plant('alice', START + 3, { ref: 'other', labels: { customer: 'other' } });
    const customer = ['customer', 'acme'] as const;
    expect(await walk({ subject: 'alice', ref: 'r' })).toEqual([b, a]);
    expect(await walk({ subject: 'alice', labels: [customer, ['env', 'prod']] })).toEqual([a]);
    expect(await walk({ subject: 'alice', ref: 'r', labels: [['env', 'prod']] })).toEqual([a]);
    expect(await walk({ ref: 'r' })).toEqual([c, b, a]);
    expect(await walk({ labels: [customer] })).toEqual([c, b, a]);
    expect(await walk({ subject: 'alice', ref: "r' OR 1=1 --" })).toEqual([]);
  });

  it('by status, service, error class, server and time', async () => {
    const a = await plant('alice', START, { service: 'ocr' });
    const b = await plant('alice', START + 1000, { service: 'llm' });
    const c = await plant('alice', START + 2000, { service: 'llm' });
    await env.DB.prepare(
      `UPDATE tasks SET status = 'failed', finished_at = 1, error = '{"class":"timeout","message":"late"}',
         history = '[{"server":"one"},{"server":"two"}]' WHERE id = ?1`,
    )
      .bind(b)
      .run();
    const subject = 'alice';
    expect(await walk({ subject, service: 'llm' })).toEqual([c, b]);
    expect(await walk({ subject, statuses: ['failed', 'expired'] })).toEqual([b]);
    expect(await walk({ subject, errorClass: 'timeout' })).toEqual([b]);
    expect(await walk({ subject, errorClass: 'http' })).toEqual([]);
    expect(await walk({ server: 'two' })).toEqual([b]);
    expect(await walk({ server: 'one' })).toEqual([]);
    expect(await walk({ subject, createdFrom: START + 1000 })).toEqual([c, b]);
    expect(await walk({ createdFrom: START, createdBefore: START + 1000 })).toEqual([a]);
  });
});

it('a tombstone is found by what its claim tells of it', async () => {
  const now = START + 1;
  const id = await idFor('alice', START);
  await plantTombstone(env.DB, { id, subject: 'alice', deadlineAt: now + 60_000 }, now);
  expect(await walk({ subject: 'alice' })).toEqual([id]);
  const { request: _, id: __, ...task } = aTask(id, 'alice', { ref: 'late', labels: { a: 'b' } });
  const claims = [{ id, leaseMs: 60_000, task: { ...task, request: '{}' } }];
  await claimTasks(env.DB, { nonce: 'nonce-of-this-batch', claims }, now);
  expect(await walk({ subject: 'alice', ref: 'late', labels: [['a', 'b']] })).toEqual([id]);
});

it('entries that lead to no task any more are deleted in bounded steps, others stay', async () => {
  for (let at = 0; at < 10; at++) await plant('alice', START + at * SPAN_MS, { ref: `r-${at}` });
  await env.DB.prepare('DELETE FROM tasks WHERE id < ?1')
    .bind(smallestTaskIdAt(START + 5 * SPAN_MS))
    .run();
  let position = '';
  do position = await forgetFinds(env.DB, position, 7, smallestTaskIdAt(START + 7 * SPAN_MS));
  while (position !== '');
  expect(await rowsIn('finds')).toBe(10);
  expect(await walk({ subject: 'alice' })).toHaveLength(5);
});
