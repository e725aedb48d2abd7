/** Each kind of task over real HTTP: producer, queue, consumer, backend, callback, database. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client, type Pipeline, startPipeline } from './pipeline.ts';
import { type StagedBackend, startStagedBackend } from './staged-backend.ts';

let pipeline: Pipeline;
let alice: Client;
/** Answers when the test lets it. */
let staged: StagedBackend;

beforeAll(async () => {
  staged = await startStagedBackend();
  pipeline = await startPipeline({ services: { staged: { baseUrl: `${staged.url}/base`, timeoutSeconds: 120 } } });
  alice = await Client.as(pipeline.run.url, 'alice');
});
afterAll(async () => {
  await pipeline?.[Symbol.asyncDispose]();
  await staged?.stop();
});

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
    await expect.poll(async () => (await alice.task(id)).status).toBe('waiting');
    expect((await alice.call('POST', `/api/task/${id}/cancel`)).body).toMatchObject({ status: 'cancelled' });
    expect((await alice.task(id)).status).toBe('cancelled');
    await expect.poll(() => pipeline.backend.log.isCancelled(id)).toBe(true);
  });

  it('aborts a running call, and the task stays cancelled', async () => {
    const id = await alice.submit({ service: 'staged', path: '/silent' });
    await staged.until(({ url }) => url === '/base/silent');
    expect((await alice.call('POST', `/api/task/${id}/cancel`)).status).toBe(200);
    // The call is given up although the backend has not answered.
    await staged.untilClosed('/base/silent');
    const task = await alice.task(id);
    expect(task.status).toBe('cancelled');
    expect(task.result).toBeUndefined();
    expect(staged.seen.filter(({ url }) => url === '/base/silent')).toHaveLength(1);
  });
});

describe('a fast task beside a slow one in the same batch', () => {
  it('is finished while the slow one still runs', async () => {
    const [slow, ...fast] = await alice.submitMany([
      { service: 'staged', path: '/stages' },
      ...Array.from({ length: 20 }, () => ({ service: 'quick' })),
    ]);
    for (const id of fast) await expect.poll(async () => (await alice.task(id, 5)).status).toBe('succeeded');
    await staged.until(({ url }) => url === '/base/stages');
    expect((await alice.task(slow ?? '')).status).toBe('running');
    staged.goOn();
    expect((await alice.task(slow ?? '', 20)).status).toBe('succeeded');
  });
});

describe('retry by hand', () => {
  it('runs a failed task again, once, with fresh attempts', async () => {
    const id = await alice.submit({ service: 'broken' });
    expect((await alice.task(id, 20)).status).toBe('failed');
    expect((await alice.call('POST', `/api/task/${id}/retry`)).body).toMatchObject({ status: 'queued' });
    await expect.poll(() => pipeline.backend.log.report().byKey[id]?.calls).toBe(2);
    await expect.poll(async () => (await alice.task(id)).status).toBe('failed');
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
