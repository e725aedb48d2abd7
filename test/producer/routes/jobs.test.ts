import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it } from 'vitest';
import { listActs } from '../../../shared/store/audit.ts';
import { readJob } from '../../../shared/store/jobs.ts';
import { ask, documentIn, environment, idFor, tokenFor } from '../client.ts';

afterEach(async () => {
  for (const table of ['tasks', 'jobs', 'job_progress', 'audit']) await env.TASK_DB_0.exec(`DELETE FROM ${table}`);
});

async function plant(subject: string, status: 'failed' | 'succeeded', service = 'ocr'): Promise<string> {
  const id = await idFor(subject, Date.now() - 60_000);
  await env.TASK_DB_0.prepare(
    `INSERT INTO tasks (id, subject, service, status, run, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at)
     VALUES (?1, ?2, ?3, ?4, 1, 1, 1, 1, ?5, ?5)`,
  )
    .bind(id, subject, service, status, Date.now())
    .run();
  return id;
}

const post = async (path: string, body: unknown, subject = 'alice', role: 'client' | 'admin' = 'client') =>
  ask(environment(), path, { body, token: await tokenFor(subject, role) });

describe('a dry run', () => {
  it('says how many tasks of which service, how long, and what it costs, and makes nothing', async () => {
    for (let task = 0; task < 3; task++) await plant('alice', 'failed');
    await plant('alice', 'succeeded');
    await plant('bob', 'failed');
    const answer = await post('/api/tasks/redrive', { filter: { service: 'ocr' }, dryRun: true });
    expect(answer.status).toBe(200);
    expect(await documentIn(answer)).toMatchObject({
      act: 'redrive',
      count: 3,
      isCounted: true,
      seconds: 1,
      dollars: 0.000016,
      services: [{ service: 'ocr', count: 3, perSecond: 5 }],
    });
    expect(await env.TASK_DB_0.prepare('SELECT count(*) AS n FROM jobs').first('n')).toBe(0);
  });

  it('of an administrator is no act', async () => {
    await plant('bob', 'failed');
    const body = { filter: { service: 'ocr' }, dryRun: true };
    expect((await post('/api/tasks/purge', body, 'olivia', 'admin')).status).toBe(200);
    expect((await post('/api/tasks/purge', { ...body, dryRun: false }, 'olivia', 'admin')).status).toBe(202);
    const filter = { act: undefined, subject: undefined, below: undefined, since: 0, until: Date.now() + 1, limit: 9 };
    expect(await listActs(env.TASK_DB_0, filter)).toMatchObject([{ act: 'tasks.purge', subject: 'olivia', count: 1 }]);
  });
});

describe('a job', () => {
  it('of a client is about its own tasks, as they were when it was made, and is seen by it and by administrators', async () => {
    await plant('alice', 'failed');
    await plant('bob', 'failed');
    const made = await post('/api/tasks/redrive', { filter: { after: '2026-01-01T00:00:00+01:00' }, perSecond: 5 });
    expect(made.status).toBe(202);
    const job = await documentIn(made);
    expect(job).toMatchObject({ act: 'redrive', status: 'running', count: 1, perSecond: 5, done: 0, subject: 'alice' });
    const row = await readJob(env.TASK_DB_0, String(job.id));
    expect(JSON.parse(row?.filter ?? '')).toMatchObject({ subject: 'alice', statuses: ['failed', 'expired'] });
    const see = async (subject: string, role: 'client' | 'viewer') =>
      (await ask(environment(), `/api/jobs/${job.id}`, { token: await tokenFor(subject, role) })).status;
    expect([await see('alice', 'client'), await see('bob', 'client'), await see('vera', 'viewer')]).toEqual([
      200, 404, 200,
    ]);
    const list = await ask(environment(), '/api/jobs?limit=1');
    expect(await documentIn(list)).toMatchObject({ jobs: [{ id: job.id }], nextCursor: job.id });
  });

  it('is aborted by its owner, once, and by nobody else', async () => {
    const job = await documentIn(await post('/api/tasks/purge', { filter: { service: 'ocr' } }));
    const request = async (subject: string) =>
      ask(environment(), `/api/jobs/${job.id}/abort`, { method: 'POST', token: await tokenFor(subject) });
    expect((await request('bob')).status).toBe(404);
    expect(await documentIn(await request('alice'))).toMatchObject({ status: 'aborted' });
    expect(await documentIn(await request('alice'))).toMatchObject({ status: 'aborted' });
  });
});

describe('what is refused', () => {
  it.each([
    ['an empty filter', '/api/tasks/purge', { filter: {} }, '/filter'],
    ['no filter', '/api/tasks/purge', {}, '/filter'],
    [
      'a filter of another name, with the name that is meant',
      '/api/tasks/cancel',
      { filter: { servise: 'a' } },
      '/filter/servise',
    ],
    ['statuses that the act is not for', '/api/tasks/redrive', { filter: { status: ['queued'] } }, '/filter/status'],
    [
      'a pace of a job that calls nobody',
      '/api/tasks/cancel',
      { filter: { service: 'a' }, perSecond: 1 },
      '/perSecond',
    ],
    ['the tasks of somebody else', '/api/tasks/cancel', { filter: { subject: 'bob' } }, '/filter/subject'],
  ])('%s', async (_, path, body, field) => {
    const answer = await post(path, body);
    expect(answer.status).toBe(400);
    const { errors } = (await documentIn(answer)) as { errors: { field: string }[] };
    expect(errors[0]?.field).toBe(field);
  });
});
