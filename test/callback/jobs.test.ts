import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { type CallbackEnv, readEnv } from '../../callback/env.ts';
import { JOBS_A_ROUND, runJobs } from '../../callback/jobs/run.ts';
import { sweep } from '../../callback/sweep/sweep.ts';
import { importMacKey } from '../../shared/crypto/mac.ts';
import { type JobAct, STATUSES_OF_ACT } from '../../shared/job/job.ts';
import { createJob, endJob, readJob, readProgress, releaseJobRunner, takeJobRunner } from '../../shared/store/jobs.ts';
import { mintTaskId } from '../../shared/task/id.ts';

const DATABASES = [env.DB, env.STORE_1, env.STORE_2];
const HOUR_MS = 3600_000;
const key = await importMacKey(env.ID_SECRET);

let now: number;
/** Statements that fail from now on, by database: each call of `batch` counts. */
let failing: ((db: D1Database) => void) | undefined;
let sent: { body: { id: string; kind: string }; delaySeconds?: number }[];
let callback: CallbackEnv;
let perSecond: number | undefined;

/** A database whose writes of chunks can be made to fail before or after they are made. */
function faulty(db: D1Database): D1Database {
  return new Proxy(db, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (name === 'batch') {
        return async (statements: D1PreparedStatement[]) => {
          const answer = await target.batch(statements);
          failing?.(db);
          return answer;
        };
      }
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

beforeEach(async () => {
  now = Date.now();
  failing = undefined;
  perSecond = 100;
  sent = [];
  for (const db of DATABASES) {
    await db.batch(
      ['tasks', 'scans', 'jobs', 'job_progress', 'redrive_starts', 'finds', 'lines'].map((table) =>
        db.prepare(`DELETE FROM ${table}`),
      ),
    );
  }
  const queue = { sendBatch: async (messages: typeof sent) => void sent.push(...messages) };
  const registry = {
    getServiceRates: async (names: string[]) => names.map((service) => ({ service, perSecond, pool: undefined })),
  };
  callback = await readEnv({
    ...env,
    TASK_DB_0: faulty(env.DB),
    TASK_DB_1: faulty(env.STORE_1),
    TASK_DB_2: faulty(env.STORE_2),
    TASK_QUEUE_0: queue,
    TASK_QUEUE_1: undefined,
    SERVER_REGISTRY: { getByName: () => registry },
  });
  vi.spyOn(console, 'error').mockReturnValue(undefined);
  vi.spyOn(console, 'log').mockReturnValue(undefined);
});

interface Planted {
  readonly status?: string;
  readonly count: number;
  readonly store?: number;
  readonly finishedAt?: number;
  readonly subject?: string;
}

/** Ended tasks, unless said otherwise; ids in order. */
async function plant({ status = 'failed', count, store = 0, finishedAt = now - HOUR_MS, subject = 'alice' }: Planted) {
  const ids = await Promise.all(
    Array.from({ length: count }, (_, at) => mintTaskId(key, subject, finishedAt - HOUR_MS + at, store)),
  );
  const isOpen = status === 'waiting' || status === 'queued';
  await (DATABASES[store] ?? env.DB)
    .prepare(
      `INSERT INTO tasks (id, subject, service, status, run, max_attempts, base_seconds, cap_seconds, deadline_at, due_at,
         callback_timeout_ms, finished_at, error, request, request_body, ref, labels)
       SELECT value, ?2, 'ocr', ?3, 1, 1, 1, 1, ?4, CASE WHEN ?3 = 'waiting' THEN ?4 END,
         CASE WHEN ?3 = 'waiting' THEN 1000 END, CASE WHEN ?5 THEN NULL ELSE ?6 END, '{"class":"http","message":"no"}', '{}', 'secret', 'r', '{"a":"b"}'
       FROM json_each(?1)`,
    )
    .bind(JSON.stringify(ids), subject, status, now + HOUR_MS, isOpen ? 1 : 0, finishedAt)
    .run();
  return ids;
}

async function job(act: JobAct, filter: object = {}, pace: number | null = null): Promise<string> {
  const id = `job_${now.toString(16).padStart(12, '0')}${crypto.randomUUID().slice(0, 8)}`;
  const text = JSON.stringify({ statuses: STATUSES_OF_ACT[act], createdBefore: now, ...filter });
  const row = { id, act, subject: 'olivia', asked: '{}', filter: text, per_second: pace };
  await createJob(env.DB, { ...row, matched: 0, is_counted: 1, created_at: now });
  return id;
}

const round = (statements = JOBS_A_ROUND) => runJobs(callback, statements, () => now);

async function progress(id: string) {
  const parts = (await Promise.all(DATABASES.map((db) => readProgress(db, [id])))).flat();
  const sum = (of: 'seen' | 'done') => parts.reduce((total, part) => total + part[of], 0);
  return { seen: sum('seen'), done: sum('done'), status: (await readJob(env.DB, id))?.status };
}

async function statuses(): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const db of DATABASES) {
    const { results } = await db.prepare('SELECT status, count(*) AS n FROM tasks GROUP BY status').all();
    for (const { status, n } of results) counts[String(status)] = (counts[String(status)] ?? 0) + Number(n);
  }
  return counts;
}

describe('a redrive', () => {
  it('starts tasks of every store, spread over the time to come, and says who wanted it', async () => {
    for (const store of [0, 1, 2]) await plant({ count: 40, store });
    await plant({ count: 5, status: 'succeeded' });
    const id = await job('redrive', {}, 20);
    await round();
    expect(await progress(id)).toEqual({ seen: 120, done: 120, status: 'finished' });
    expect(await statuses()).toEqual({ queued: 120, succeeded: 5 });
    const bySecond = Map.groupBy(sent, ({ delaySeconds = 0 }) => delaySeconds);
    expect(Math.max(...[...bySecond.values()].map(({ length }) => length))).toBeLessThanOrEqual(20);
    expect(Math.max(...bySecond.keys())).toBe(6);
    const row = await env.DB.prepare(`SELECT history, due_at FROM tasks WHERE status = 'queued'`).first();
    expect(JSON.parse(String(row?.history))).toMatchObject([{ outcome: 'retried', by: 'olivia' }]);
    expect(Number(row?.due_at)).toBeGreaterThan(now);
  });

  it('takes no more in a minute than half of what the service bears, whatever is asked, and goes on in the next round', async () => {
    perSecond = 4;
    await plant({ count: 400 });
    const id = await job('redrive', {}, 1_000);
    await round();
    expect(await progress(id)).toMatchObject({ done: 150, status: 'running' });
    await round();
    expect(sent).toHaveLength(150);
    now += 60_000;
    await round();
    expect(await progress(id)).toMatchObject({ done: 269, status: 'running' });
  });

  it('shares the pace of a service with other redrives', async () => {
    perSecond = 4;
    await plant({ count: 200 });
    await plant({ count: 200, subject: 'bob' });
    await Promise.all([job('redrive', { subject: 'alice' }, 2), job('redrive', { subject: 'bob' }, 2)]);
    await round();
    expect(sent).toHaveLength(150);
  });

  it('moves each task once when its runner dies after the write, and the sweeper wakes those that it did not', async () => {
    await plant({ count: 1_200 });
    const id = await job('redrive', {}, 100);
    perSecond = undefined;
    failing = () => {
      failing = undefined;
      throw new Error('the connection broke after the commit');
    };
    await round();
    failing = undefined;
    now += 130_000;
    await round();
    expect(await progress(id)).toEqual({ seen: 1_200, done: 1_200, status: 'finished' });
    const woken = sent.map(({ body }) => body.id);
    expect(new Set(woken).size).toBe(woken.length);
    expect(woken).toHaveLength(700);
    now += HOUR_MS;
    await env.DB.prepare(`UPDATE tasks SET deadline_at = ?1`)
      .bind(now + HOUR_MS)
      .run();
    await sweep(callback, now);
    expect(new Set(sent.map(({ body }) => body.id)).size).toBe(1_200);
    expect(await env.DB.prepare(`SELECT max(json_array_length(history)) AS n FROM tasks`).first('n')).toBe(1);
  });

  it('counts a chunk once that is run twice at the same time', async () => {
    await plant({ count: 300 });
    const id = await job('redrive', {}, 100);
    await takeJobRunner(env.DB, now - 1, now - 2);
    await Promise.all([round(), releaseJobRunner(env.DB, now - 1).then(() => round()), round()]);
    await round();
    expect(await progress(id)).toMatchObject({ seen: 300, done: 300 });
    expect(sent).toHaveLength(300);
  });

  it('leaves a task alone whose request is gone, and one that was run again in between', async () => {
    const [gone] = await plant({ count: 3 });
    await env.DB.prepare('UPDATE tasks SET request = NULL, bodies_deleted_at = ?2 WHERE id = ?1').bind(gone, now).run();
    const id = await job('redrive', {}, 100);
    await round();
    expect(await progress(id)).toEqual({ seen: 3, done: 2, status: 'finished' });
  });

  it('that is aborted starts no more', async () => {
    perSecond = 2;
    await plant({ count: 400 });
    const id = await job('redrive');
    await round();
    await endJob(env.DB, id, 'aborted', now);
    now += 60_000;
    await round();
    expect(await progress(id)).toMatchObject({ done: 75, status: 'aborted' });
  });
});

describe('a cancellation', () => {
  it('ends open tasks by filter, tells the backends that work on them, and no other', async () => {
    await plant({ count: 30, status: 'queued' });
    await plant({ count: 20, status: 'waiting' });
    await plant({ count: 10, status: 'queued', subject: 'bob' });
    const id = await job('cancel', { subject: 'alice' });
    await round();
    expect(await progress(id)).toEqual({ seen: 50, done: 50, status: 'finished' });
    expect(await statuses()).toEqual({ cancelled: 50, queued: 10 });
    expect(sent).toHaveLength(20);
    expect(new Set(sent.map(({ body }) => body.kind))).toEqual(new Set(['cancel']));
  });
});

describe('messages of webhooks', () => {
  it('are left alone by every job', async () => {
    await plant({ count: 3 });
    await env.DB.prepare(`UPDATE tasks SET service = 'webhook:hooks.example.com:0123456789abcdef'`).run();
    await plant({ count: 2 });
    for (const act of ['redrive', 'cancel', 'purge'] as const) {
      const id = await job(act, { statuses: ['failed', 'queued', 'cancelled'] });
      await round();
      expect(await progress(id)).toMatchObject({ seen: 2, status: 'finished' });
    }
    expect(await statuses()).toMatchObject({ failed: 3 });
  });
});

describe('a purge', () => {
  it('deletes old rows, empties young ones with all that leads to them, and leaves open tasks', async () => {
    await plant({ count: 10, finishedAt: now - 13 * 24 * HOUR_MS });
    const [young] = await plant({ count: 10, status: 'succeeded' });
    await plant({ count: 4, status: 'queued' });
    const id = await job('purge');
    await round();
    expect(await progress(id)).toEqual({ seen: 20, done: 20, status: 'finished' });
    expect(await statuses()).toEqual({ succeeded: 10, queued: 4 });
    const row = await env.DB.prepare('SELECT * FROM tasks WHERE id = ?1').bind(young).first();
    expect(row).toMatchObject({
      request: null,
      request_body: null,
      ref: null,
      labels: null,
      error: null,
      history: '[]',
    });
    expect(row?.bodies_deleted_at).toBe(now);
    const { results } = await env.DB.prepare(`SELECT entry FROM finds WHERE term <> ''`).all();
    expect(results).toHaveLength(2 * 4);
  });
});

describe('a store that does not answer', () => {
  it('keeps its part of a job until it is back', async () => {
    await plant({ count: 5, store: 1 });
    await plant({ count: 5 });
    const id = await job('cancel', { statuses: ['failed'] });
    const purge = await job('purge');
    failing = (db) => {
      if (db === env.STORE_1) throw new Error('D1_ERROR: Network connection lost.');
    };
    await round();
    expect(await readJob(env.DB, purge)).toMatchObject({ status: 'running' });
    failing = undefined;
    await round();
    expect(await readJob(env.DB, purge)).toMatchObject({ status: 'finished' });
    expect(await progress(id)).toMatchObject({ done: 0, seen: 10 });
  });
});
