/** Each kind of task over real HTTP: producer, queue, consumer, backend, callback, database. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client, type Pipeline, startPipeline } from './pipeline.ts';

let pipeline: Pipeline;
let alice: Client;

beforeAll(async () => {
  pipeline = await startPipeline();
  alice = await Client.as(pipeline.run.url, 'alice');
});
afterAll(() => pipeline?.[Symbol.asyncDispose]());

describe('a task', () => {
  it('that works at once succeeds with the backend’s answer', async () => {
    const task = await alice.task(await alice.submit({ service: 'quick', payload: { page: 1 } }), 20);
    expect(task).toMatchObject({ status: 'succeeded', attempts: 1, result: { ok: true } });
  });

  it('that fails twice succeeds at the third attempt and shows why', async () => {
    const task = await alice.task(await alice.submit({ service: 'flaky' }), 30);
    expect(task).toMatchObject({ status: 'succeeded', attempts: 3 });
    expect(task.timeline.filter(({ event }) => event === 'attempt-failed')).toHaveLength(2);
  });

  it('that can never work fails at the first attempt', async () => {
    const task = await alice.task(await alice.submit({ service: 'broken' }), 20);
    expect(task).toMatchObject({ status: 'failed', attempts: 1, error: { class: 'http', httpStatus: 422 } });
  });

  it('that meets a rate limit waits without losing an attempt', async () => {
    const task = await alice.task(await alice.submit({ service: 'busy' }), 20);
    expect(task).toMatchObject({ status: 'succeeded', attempts: 1, deferrals: 1 });
  });

  it('whose backend calls back shows progress and succeeds with the reported result', async () => {
    const task = await alice.task(await alice.submit({ service: 'async', path: '/async?ms=500' }), 20);
    expect(task).toMatchObject({ status: 'succeeded', attempts: 1, result: { tookMs: expect.any(Number) } });
    expect(task.progress).toBeDefined();
  });

  it('arrives at the backend with its body, its id and its trace', async () => {
    const id = await alice.submit({
      service: 'echo',
      payload: { deep: [1, { two: 'zwei' }] },
      headers: { 'x-team': 'blue' },
    });
    const task = await alice.task(id, 20);
    expect(task.result).toMatchObject({
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'idempotency-key': id,
        'task-id': id,
        'task-attempt': '1',
        'task-callback-url': `${pipeline.run.url}/api/task/${id}`,
        traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
        'x-team': 'blue',
      },
    });
    expect(JSON.stringify(task.result)).toContain('zwei');
  });
});

describe('cancel', () => {
  it('ends a waiting task and tells its backend', async () => {
    const id = await alice.submit({ service: 'async', path: '/async?ms=20000' });
    await waitFor(async () => (await alice.task(id)).status === 'waiting');
    expect((await alice.call('POST', `/api/task/${id}/cancel`)).body).toMatchObject({ status: 'cancelled' });
    expect((await alice.task(id)).status).toBe('cancelled');
    await waitFor(async () => pipeline.backend.log.isCancelled(id));
  });

  it('aborts a running call, and the task stays cancelled', async () => {
    const id = await alice.submit({ service: 'slow', path: '/slow?ms=8000' });
    await waitFor(async () => (await alice.task(id)).status === 'running');
    expect((await alice.call('POST', `/api/task/${id}/cancel`)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 9_000));
    const task = await alice.task(id);
    expect(task.status).toBe('cancelled');
    expect(task.result).toBeUndefined();
    // The call was given up before the backend had answered.
    expect(pipeline.backend.log.report().byKey[id]).toEqual({ calls: 1, successes: 0 });
  });
});

describe('a fast task beside a slow one in the same batch', () => {
  it('is finished while the slow one still runs', async () => {
    const [slow, ...fast] = await alice.submitMany([
      { service: 'slow', path: '/slow?ms=6000' },
      ...Array.from({ length: 20 }, () => ({ service: 'quick' })),
    ]);
    for (const id of fast) expect((await alice.task(id, 5)).status).toBe('succeeded');
    expect((await alice.task(slow ?? '')).status).toBe('running');
    expect((await alice.task(slow ?? '', 20)).status).toBe('succeeded');
  });
});

describe('retry by hand', () => {
  it('runs a failed task again, once, with fresh attempts', async () => {
    const id = await alice.submit({ service: 'broken' });
    expect((await alice.task(id, 20)).status).toBe('failed');
    expect((await alice.call('POST', `/api/task/${id}/retry`)).body).toMatchObject({ status: 'queued' });
    await waitFor(async () => pipeline.backend.log.report().byKey[id]?.calls === 2);
    await waitFor(async () => (await alice.task(id)).status === 'failed');
    expect((await alice.call('POST', `/api/task/${await alice.submit({ service: 'quick' })}/retry`)).status).toBe(409);
  });
});

describe('a callback', () => {
  it('is refused with a forged token, and repeated reports change nothing', async () => {
    const id = await alice.submit({ service: 'async', path: '/async?ms=300' });
    await alice.task(id, 20);
    const forged = await new Client(pipeline.run.url, `1.${'0'.repeat(48)}`).call('PUT', `/api/task/${id}`, {
      status: 'failed',
      error: { message: 'forged' },
    });
    expect(forged.status).toBe(401);
    expect((await alice.task(id)).status).toBe('succeeded');
  });
});

describe('tasks of others', () => {
  it('are not found, and not listed', async () => {
    const bob = await Client.as(pipeline.run.url, 'bob');
    const id = await alice.submit({ service: 'quick' });
    await alice.task(id, 20);
    expect((await bob.call('GET', `/api/task/${id}`)).status).toBe(404);
    expect((await bob.call('POST', `/api/task/${id}/cancel`)).status).toBe(404);
    expect(await bob.list()).toEqual([]);
    const admin = await Client.as(pipeline.run.url, 'root', 'admin');
    expect((await admin.task(id)).status).toBe('succeeded');
  });
});

async function waitFor(condition: () => Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not come true');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
