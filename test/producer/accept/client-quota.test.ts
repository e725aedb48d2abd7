import { env } from 'cloudflare:workers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, documentIn, environment, idFor, queueStub, tokenFor } from '../client.ts';

const here = environment();
const FEW = `pk=:${btoa('few')}:`;

async function put(name: string, definition: object): Promise<void> {
  const answer = await ask(here, `/api/services/${name}`, {
    method: 'PUT',
    token: await tokenFor('root', 'admin'),
    body: definition,
  });
  expect(answer.status, await answer.clone().text()).toBe(200);
}

beforeAll(async () => {
  await put('few', { baseUrl: 'https://few.example.com', perClient: { tasksPerMinute: 3 } });
  await put('small', { baseUrl: 'https://small.example.com', perClient: { open: 4 } });
});
afterAll(async () => {
  await env.TASK_DB_0.exec('DELETE FROM tasks');
});

const submit = async (service: string, subject: string, queue = queueStub()) =>
  ask({ ...here, TASK_QUEUE_0: queue, TASK_QUEUE_1: queue }, '/api/task', {
    token: await tokenFor(subject),
    body: { service },
  });

describe('a client at a service with a quota', () => {
  it('is told what is left, and is refused before anything is accepted when nothing is', async () => {
    const first = await submit('few', 'alice');
    expect(first.status).toBe(202);
    expect(first.headers.get('ratelimit-policy')).toBe(`"tasks";q=3;w=60;${FEW}`);
    expect(first.headers.get('ratelimit')).toBe(`"tasks";r=2;t=60;${FEW}`);
    await submit('few', 'alice');
    await submit('few', 'alice');
    const queue = queueStub();
    const refused = await submit('few', 'alice', queue);
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(refused.headers.get('ratelimit')).toMatch(/^"tasks";r=0;t=\d+;pk=:ZmV3:$/);
    expect(await documentIn(refused)).toMatchObject({
      type: '/docs/problems/quota-exceeded',
      'violated-policies': ['tasks'],
    });
    expect(queue.calls).toEqual([]);
    expect((await submit('few', 'bob')).status).toBe(202);
  });

  it('has as many tasks open as it may, whatever else has ended', async () => {
    const statuses = ['queued', 'queued', 'succeeded', 'failed'];
    for (const status of statuses) {
      const ended = status === 'queued' ? null : Date.now();
      await env.TASK_DB_0.prepare(
        `INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at)
         VALUES (?1, 'carol', 'small', ?2, 1, 1, 1, 0, ?3)`,
      )
        .bind(await idFor('carol', Date.now() - 60_000), status, ended)
        .run();
    }
    const answers: Response[] = [];
    for (let task = 0; task < 3; task++) answers.push(await submit('small', 'carol'));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 429]);
    expect(answers[1]?.headers.get('ratelimit')).toBe(`"open";r=0;pk=:${btoa('small')}:`);
  });

  it('gets the first of a batch in, and of the others the reason', async () => {
    const queue = queueStub();
    const bindings = { ...here, TASK_QUEUE_0: queue, TASK_QUEUE_1: queue };
    const tasks = [...Array.from({ length: 5 }, () => ({ service: 'few' })), { service: 'echo' }];
    const answer = await ask(bindings, '/api/tasks/batch', { token: await tokenFor('dave'), body: { tasks } });
    const { results } = (await documentIn(answer)) as { results: { id?: string; problem?: { type: string } }[] };
    expect(results.map(({ id, problem }) => (id === undefined ? problem?.type : 'accepted'))).toEqual([
      ...Array.from({ length: 3 }, () => 'accepted'),
      ...Array.from({ length: 2 }, () => '/docs/problems/quota-exceeded'),
      'accepted',
    ]);
    expect(queue.sent).toHaveLength(4);
  });

  it('has what its schedules and its preference for a later answer submit counted, and refused', async () => {
    const token = await tokenFor('erin');
    const queue = queueStub();
    const bindings = { ...here, TASK_QUEUE_0: queue, TASK_QUEUE_1: queue };
    const schedule = { name: 'hourly', cron: '0 * * * *', task: { service: 'few' } };
    expect((await ask(bindings, '/api/schedules', { token, body: schedule })).status).toBe(201);
    const run = () => ask(bindings, '/api/schedules/hourly/run', { method: 'POST', token });
    const later = () =>
      ask(bindings, '/api/service/few/work', { method: 'POST', token, headers: { prefer: 'respond-async' } });
    expect((await run()).status).toBe(202);
    const accepted = await later();
    expect(accepted.status).toBe(202);
    expect(accepted.headers.get('ratelimit')).toBe(`"tasks";r=1;t=60;${FEW}`);
    expect((await submit('few', 'erin', queue)).status).toBe(202);
    expect((await later()).status).toBe(429);
    const refused = await run();
    expect(refused.status).toBe(400);
    expect(await documentIn(refused)).toMatchObject({
      detail: '3 tasks a minute are what a client may submit to few.',
    });
    expect(queue.sent).toHaveLength(3);
  });

  it('of which nobody says anything asks nobody', async () => {
    const answer = await submit('echo', 'alice');
    expect(answer.status).toBe(202);
    expect(answer.headers.has('ratelimit')).toBe(false);
  });
});
