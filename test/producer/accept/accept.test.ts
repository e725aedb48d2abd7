import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { importMacKey } from '../../../shared/crypto/mac.ts';
import { TaskMessageSchema } from '../../../shared/message/task-message.ts';
import { readTask } from '../../../shared/store/read.ts';
import { isTaskIdOf } from '../../../shared/task/id.ts';
import { ask, catchFailureLog, documentIn, environment, noDatabase, queueStub } from '../client.ts';

catchFailureLog();

const SUBMISSION = { service: 'echo', path: '/v1', payload: { a: 1 }, labels: { customer: 'acme' } };

async function dueAtOf(id: unknown): Promise<number | null | undefined> {
  return (await readTask(env.DB, String(id)))?.due_at;
}

function shards(...refuses: boolean[]) {
  const queues = refuses.map((refuse) => queueStub(refuse));
  const bindings = {
    TASK_QUEUE_1: undefined,
    ...Object.fromEntries(queues.map((queue, shard) => [`TASK_QUEUE_${shard}`, queue])),
  };
  return { queues, bindings, sent: () => queues.flatMap((queue) => queue.sent) };
}

describe('accepting one task', () => {
  it('is one send and no question to the database', async () => {
    const { bindings, queues, sent } = shards(false, false);
    const answer = await ask(environment({ ...bindings, TASK_DB_0: noDatabase }), '/api/task', { body: SUBMISSION });
    expect(answer.status).toBe(202);
    const { id, status, statusUrl } = await documentIn(answer);
    expect(status).toBe('queued');
    expect(statusUrl).toBe(`http://tasklane.test/api/task/${id}`);
    expect(answer.headers.get('location')).toBe(statusUrl);
    expect(queues.flatMap((queue) => queue.calls)).toEqual([1]);
    const message = TaskMessageSchema.parse(sent()[0]);
    expect(message).toMatchObject({
      v: 1,
      kind: 'task',
      task: {
        id,
        subject: 'alice',
        service: 'echo',
        labels: { customer: 'acme' },
        request: { path: '/v1', body: { type: 'application/json', encoding: 'json', text: '{"a":1}' } },
      },
    });
    expect(await isTaskIdOf(await importMacKey(env.ID_SECRET), String(id), 'alice')).toBe(true);
    expect(await isTaskIdOf(await importMacKey(env.ID_SECRET), String(id), 'bob')).toBe(false);
  });

  it('works with the real queue', async () => {
    const answer = await ask(environment(), '/api/task', { body: SUBMISSION });
    expect(answer.status).toBe(202);
  });

  it('fails over to a shard that answers', async () => {
    for (let attempt = 0; attempt < 4; attempt++) {
      const { bindings, sent } = shards(true, true, false);
      const answer = await ask(environment({ ...bindings, TASK_DB_0: noDatabase }), '/api/task', { body: SUBMISSION });
      expect(answer.status).toBe(202);
      expect(sent()).toHaveLength(1);
    }
  });

  it('records the task as due now when no queue answers', async () => {
    const { bindings } = shards(true, true);
    const answer = await ask(environment(bindings), '/api/task', { body: SUBMISSION });
    expect(answer.status).toBe(202);
    const { id } = await documentIn(answer);
    expect(await dueAtOf(id)).toEqual(expect.any(Number));
  });

  it('promises nothing when the database does not answer either', async () => {
    const { bindings } = shards(true, true);
    const answer = await ask(environment({ ...bindings, TASK_DB_0: noDatabase }), '/api/task', { body: SUBMISSION });
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('5');
    expect(await documentIn(answer)).toMatchObject({
      type: '/docs/problems/unavailable',
      detail: expect.stringMatching(/may still run.*idempotency key/),
    });
  });
});

describe('accepting with queue+record', () => {
  it('answers when the row is there, carried by its message', async () => {
    const { bindings, sent } = shards(false);
    const answer = await ask(environment({ ...bindings, ACCEPT: 'queue+record' }), '/api/task', { body: SUBMISSION });
    expect(answer.status).toBe(202);
    const { id } = await documentIn(answer);
    expect(sent()).toHaveLength(1);
    expect(await dueAtOf(id)).toBeNull();
  });

  it('gives the row a due time when the send failed', async () => {
    const { bindings } = shards(true);
    const answer = await ask(environment({ ...bindings, ACCEPT: 'queue+record' }), '/api/task', { body: SUBMISSION });
    expect(answer.status).toBe(202);
    expect(await dueAtOf((await documentIn(answer)).id)).toEqual(expect.any(Number));
  });

  it('is a 503 when the row cannot be written, although the message went out', async () => {
    const { bindings, sent } = shards(false);
    const answer = await ask(environment({ ...bindings, TASK_DB_0: noDatabase, ACCEPT: 'queue+record' }), '/api/task', {
      body: SUBMISSION,
    });
    expect(answer.status).toBe(503);
    expect(sent()).toHaveLength(1);
  });
});

describe('accepting a batch', () => {
  const batch = (tasks: unknown[]) => ({ body: { tasks } });

  it('answers each task by itself, in order, and sends the good ones in chunks', async () => {
    const { bindings, queues, sent } = shards(false, false);
    const tasks = Array.from({ length: 250 }, (_, index) => ({ ...SUBMISSION, payload: index }));
    const bad = [{ service: 'nobody' }, { service: 'echo', paylod: 1 }, 7];
    const env = environment({ ...bindings, TASK_DB_0: noDatabase });
    const answer = await ask(env, '/api/tasks/batch', batch([bad[0], ...tasks, bad[1], bad[2]]));
    expect(answer.status).toBe(202);
    const results = (await documentIn(answer)).results as Record<string, unknown>[];
    expect(results.map(({ index }) => index)).toEqual(Array.from({ length: 253 }, (_, index) => index));
    expect(results[0]).toMatchObject({ problem: { type: '/docs/problems/unknown-service', status: 422 } });
    expect(results[251]).toMatchObject({ problem: { errors: [{ field: '/paylod' }] } });
    expect(results[252]).toMatchObject({ problem: { type: '/docs/problems/invalid-request' } });
    expect(queues.flatMap((queue) => queue.calls).sort()).toEqual([100, 100, 50]);
    const accepted = results.filter(({ status }) => status === 'queued').map(({ id }) => id);
    expect(
      sent()
        .map(({ task }) => task.id)
        .sort(),
    ).toEqual(accepted.sort());
  });

  it('records as due what no queue takes', async () => {
    const { bindings } = shards(true);
    const answer = await ask(environment(bindings), '/api/tasks/batch', batch(Array(3).fill(SUBMISSION)));
    const results = (await documentIn(answer)).results as Record<string, unknown>[];
    expect(results).toHaveLength(3);
    for (const { id } of results) expect(await dueAtOf(id)).toEqual(expect.any(Number));
  });

  it('says per task that nothing is certain when the database is down too', async () => {
    const { bindings } = shards(true);
    const env = environment({ ...bindings, TASK_DB_0: noDatabase });
    const answer = await ask(env, '/api/tasks/batch', batch([SUBMISSION, { service: 'nobody' }]));
    expect(answer.status).toBe(202);
    expect((await documentIn(answer)).results).toMatchObject([
      { index: 0, problem: { status: 503 } },
      { index: 1, problem: { status: 422 } },
    ]);
  });

  it('records every task with queue+record', async () => {
    const { bindings } = shards(false);
    const env = environment({ ...bindings, ACCEPT: 'queue+record' });
    const answer = await ask(env, '/api/tasks/batch', batch(Array(120).fill(SUBMISSION)));
    const results = (await documentIn(answer)).results as Record<string, unknown>[];
    expect(results).toHaveLength(120);
    for (const { id } of results) expect(await dueAtOf(id)).toBeNull();
  });

  it.each([
    ['no tasks', { tasks: [] }, 'at least 1 items'],
    ['too many tasks', { tasks: Array(1001).fill(0) }, 'at most 1000 items'],
    ['something else', { jobs: [] }, 'missing'],
  ])('is refused with %s', async (_, body, reason) => {
    const answer = await ask(environment(), '/api/tasks/batch', { body });
    expect(answer.status).toBe(400);
    expect(JSON.stringify(await documentIn(answer))).toContain(reason);
  });
});
