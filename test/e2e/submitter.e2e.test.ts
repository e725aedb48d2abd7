/** What a submitter asks for, over real HTTP: once, later, found again, seen in full. One run for all of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signToken } from '../../shared/auth/token.ts';
import { Client, type Pipeline, SECRETS, startPipeline } from './pipeline.ts';

let pipeline: Pipeline;
let alice: Client;
let token: string;

beforeAll(async () => {
  pipeline = await startPipeline();
  alice = await Client.as(pipeline.run.url, 'alice');
  token = await signToken({ sub: 'alice', role: 'client' }, SECRETS.JWT_SECRET, 3600);
});
afterAll(() => pipeline?.[Symbol.asyncDispose]());

const raw = (target: string, init: RequestInit = {}) =>
  fetch(pipeline.run.url + target, {
    ...init,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...init.headers },
  });

interface Listed {
  readonly tasks: readonly { readonly id: string; readonly ref?: string }[];
}

describe('submitting once', () => {
  it('fifty clients at once with one key are one task, which the backend sees once', async () => {
    const submit = () =>
      raw('/api/task', {
        method: 'POST',
        headers: { 'idempotency-key': '"order-77"' },
        body: JSON.stringify({ service: 'quick', payload: { order: 77 } }),
      });
    const answers = await Promise.all(Array.from({ length: 50 }, submit));
    const bodies = (await Promise.all(answers.map((answer) => answer.json()))) as { id: string }[];
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(new Set(bodies.map(({ id }) => id)).size).toBe(1);
    const id = bodies[0]?.id ?? '';
    expect((await alice.task(id, 20)).status).toBe('succeeded');
    const again = await submit();
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await again.json()).toMatchObject({ id, status: 'succeeded' });
    expect(pipeline.backend.log.report().byKey[id]).toEqual({ calls: 1, successes: 1 });
  });

  it('another body is refused, and the key is free again when its task has failed', async () => {
    const task = { service: 'broken', idempotencyKey: 'order-78' };
    const first = await alice.submit(task);
    const other = await alice.call('POST', '/api/task', { ...task, service: 'quick' });
    expect(other).toMatchObject({ status: 422, body: { errors: [{ field: '/service' }] } });
    expect((await alice.task(first, 20)).status).toBe('failed');
    const second = await alice.submit({ ...task, service: 'quick' });
    expect(second).not.toBe(first);
    expect((await alice.task(second, 20)).status).toBe('succeeded');
  });
});

describe('starting later', () => {
  it('a delayed task is shown as scheduled, is not called before its time, and ends', async () => {
    const submittedAt = Date.now();
    const { status, body } = await alice.call('POST', '/api/task', { service: 'quick', delaySeconds: 2 });
    expect({ status, body }).toMatchObject({ status: 202, body: { status: 'scheduled' } });
    const id = String(body.id);
    expect(await alice.task(id)).toMatchObject({ status: 'scheduled', waitingFor: { reason: 'scheduled' } });
    const task = await alice.task(id, 20);
    expect(task).toMatchObject({ status: 'succeeded', attempts: 1 });
    const { startedAt } = task as unknown as { startedAt: string };
    expect(Date.parse(startedAt)).toBeGreaterThanOrEqual(submittedAt + 2_000);
  });

  it('a task of next year waits in its row, and can be cancelled', async () => {
    const runAt = new Date(Date.now() + 365 * 86_400_000).toISOString();
    const id = await alice.submit({ service: 'quick', runAt, ttlSeconds: 60 });
    expect(await alice.task(id)).toMatchObject({
      status: 'scheduled',
      nextAttemptAt: runAt,
      deadlineAt: new Date(Date.parse(runAt) + 60_000).toISOString(),
    });
    expect((await alice.call('POST', `/api/task/${id}/cancel`)).body).toMatchObject({ status: 'cancelled' });
  });
});

describe('finding', () => {
  it('by ref, labels, status, service, error class, server and time, with counts and groups of errors', async () => {
    const carol = await Client.as(pipeline.run.url, 'carol');
    const before = new Date(Date.now() - 1000).toISOString();
    const ids = await carol.submitMany([
      { service: 'quick', ref: 'one', labels: { customer: 'acme', tier: 'gold' } },
      { service: 'quick', ref: 'two', labels: { customer: 'acme' } },
      { service: 'broken', ref: 'three', labels: { customer: 'acme' } },
      { service: 'broken', ref: 'four' },
    ]);
    for (const id of ids) await carol.task(id, 20);
    const refs = async (query: string) => {
      const { body } = await carol.call<Listed>('GET', `/api/tasks?${query}`);
      return body.tasks.map(({ ref }) => ref);
    };
    const server = new URL(pipeline.backend.url).host;
    expect(await refs('ref=two')).toEqual(['two']);
    expect((await refs('label=customer:acme')).sort()).toEqual(['one', 'three', 'two']);
    expect(await refs('label=customer:acme&label=tier:gold')).toEqual(['one']);
    expect(await refs('label=customer:acme&status=failed')).toEqual(['three']);
    expect((await refs('errorClass=http&service=broken')).sort()).toEqual(['four', 'three']);
    expect(await refs(`server=${server}`)).toHaveLength(4);
    expect(await refs(`after=${encodeURIComponent(before)}`)).toHaveLength(4);
    expect(await refs(`before=${encodeURIComponent(before)}`)).toEqual([]);
    expect((await carol.call('GET', '/api/tasks/count?status=succeeded')).body).toEqual({ count: 2, nextCursor: null });
    expect((await carol.call('GET', '/api/tasks/errors')).body).toMatchObject({
      groups: [{ class: 'http', httpStatus: 422, count: 2, services: ['broken'] }],
    });
    expect((await carol.call('GET', '/api/tasks?stauts=failed')).status).toBe(400);
  });
});

describe('seeing', () => {
  it('the request, every attempt and the retry by hand', async () => {
    const id = await alice.submit({ service: 'flaky', payload: { page: 1 }, headers: { 'x-token': 'hidden' } });
    expect(await alice.task(id, 30)).toMatchObject({
      request: { headers: { 'x-token': '***' }, body: { page: 1 }, traceId: expect.stringMatching(/^[0-9a-f]{32}$/) },
      attemptLog: [
        { outcome: 'failed', attempt: 1 },
        { outcome: 'failed', attempt: 2 },
        { outcome: 'succeeded', attempt: 3, httpStatus: 200, server: new URL(pipeline.backend.url).host },
      ],
    });
    const failed = await alice.submit({ service: 'broken' });
    await alice.task(failed, 20);
    await alice.call('POST', `/api/task/${failed}/retry`);
    expect(await alice.task(failed, 20)).toMatchObject({
      attemptLog: [{ outcome: 'failed' }, { outcome: 'retried', by: 'alice' }, { outcome: 'failed' }],
    });
  });

  it('the reports of progress, and each change as an event', async () => {
    const id = await alice.submit({ service: 'async', path: '/async?ms=1500&steps=3' });
    const text = await (await raw(`/api/task/${id}/events`)).text();
    const statuses = [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? '{}').status);
    expect(statuses).toContain('waiting');
    expect(statuses.at(-2)).toBe('succeeded');
    expect(text).toMatch(/event: end/);
    const { progressLog } = (await alice.task(id)) as unknown as { progressLog: unknown[] };
    expect(progressLog.length).toBeGreaterThan(1);
  });
});

describe('what answers mean', () => {
  it('is what the rules of the task say', async () => {
    const rule = (rules: object[], service: string) => alice.submit({ service, answers: rules });
    const failed = await rule([{ status: 200, body: { pointer: '/ok', equals: true }, meaning: 'fail' }], 'quick');
    expect(await alice.task(failed, 20)).toMatchObject({ status: 'failed', attempts: 1, error: { httpStatus: 200 } });
    const succeeded = await rule([{ status: '4xx', meaning: 'succeed' }], 'broken');
    expect(await alice.task(succeeded, 20)).toMatchObject({ status: 'succeeded', attempts: 1 });
  });

  it('a call may be given less time than its service allows, and no more', async () => {
    const retry = { maxAttempts: 1 };
    const id = await alice.submit({ service: 'slow', path: '/slow?ms=3000', timeoutSeconds: 0.5, retry });
    expect(await alice.task(id, 20)).toMatchObject({ status: 'failed', error: { class: 'timeout' } });
    expect((await alice.call('POST', '/api/task', { service: 'slow', timeoutSeconds: 600 })).status).toBe(400);
  });
});

describe('fallback services', () => {
  it('take a task whose own service has failed, with fresh attempts, visibly', async () => {
    const id = await alice.submit({ service: 'broken', fallback: ['quick'], payload: { page: 1 } });
    expect(await alice.task(id, 20)).toMatchObject({
      service: 'quick',
      status: 'succeeded',
      attemptLog: [
        { outcome: 'failed', attempt: 1, fallback: 'quick' },
        { outcome: 'succeeded', httpStatus: 200 },
      ],
    });
  });

  it('take it at once after the errors that are named, and one after the other', async () => {
    const id = await alice.submit({
      service: 'slow',
      timeoutSeconds: 0.5,
      fallback: ['broken', 'quick'],
      fallbackOn: ['timeout'],
    });
    const task = await alice.task(id, 30);
    expect(task).toMatchObject({ service: 'quick', status: 'succeeded' });
    expect(task).toMatchObject({
      attemptLog: [
        { fallback: 'broken', error: { class: 'timeout' } },
        { fallback: 'quick' },
        { outcome: 'succeeded' },
      ],
    });
  });

  it('must be there', async () => {
    const answer = await alice.call('POST', '/api/task', { service: 'quick', fallback: ['nowhere'] });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ field: '/fallback/0' }] } });
  });
});
