import { env } from 'cloudflare:workers';
import { describe, expect, it, vi } from 'vitest';
import { readTask } from '../../../shared/store/read.ts';
import { ask, catchFailureLog, documentIn, environment, queueStub, tokenFor } from '../client.ts';

catchFailureLog();

const HOUR_MS = 3600_000;
const rowOf = async (id: unknown) => readTask(env.DB, String(id));

function producer(refuses = false) {
  const queue = { ...queueStub(refuses) };
  const sendBatch = vi.fn(queue.sendBatch);
  return { sendBatch, at: environment({ TASK_QUEUE_0: { ...queue, sendBatch }, TASK_QUEUE_1: undefined }) };
}

describe('a task that starts later', () => {
  it('within the longest delay of a queue is carried by its message, and shown as scheduled', async () => {
    const { at, sendBatch } = producer();
    const answer = await ask(at, '/api/task', { body: { service: 'echo', delaySeconds: 90.2 } });
    expect(answer.status).toBe(202);
    const accepted = await documentIn(answer);
    expect(accepted).toMatchObject({
      status: 'scheduled',
      waitingFor: { reason: 'scheduled' },
      estimatedStartAt: (accepted.waitingFor as { until: string }).until,
    });
    expect([...(sendBatch.mock.calls[0]?.[0] ?? [])]).toMatchObject([{ delaySeconds: 91 }]);
    const row = await rowOf(accepted.id);
    expect(row).toMatchObject({ status: 'scheduled', due_at: null, run: 0 });
    expect(await documentIn(await ask(at, `/api/task/${accepted.id}`))).toMatchObject({
      status: 'scheduled',
      waitingFor: accepted.waitingFor,
    });
  });

  it('beyond it is carried by its row, until the sweeper can send it', async () => {
    const { at, sendBatch } = producer();
    const runAt = new Date(Date.now() + 40 * 24 * HOUR_MS).toISOString();
    const accepted = await documentIn(await ask(at, '/api/task', { body: { service: 'echo', runAt } }));
    expect(sendBatch).not.toHaveBeenCalled();
    const row = await rowOf(accepted.id);
    expect(row).toMatchObject({ status: 'scheduled', next_at: Date.parse(runAt) });
    expect(row?.due_at).toBe(Date.parse(runAt) - 12 * HOUR_MS);
    expect(row?.deadline_at).toBe(Date.parse(runAt) + 86_400_000);
  });

  it('is carried by its row when no queue takes it', async () => {
    const { at } = producer(true);
    const accepted = await documentIn(await ask(at, '/api/task', { body: { service: 'echo', delaySeconds: 60 } }));
    expect((await rowOf(accepted.id))?.due_at).toBeLessThanOrEqual(Date.now());
  });

  it('in a batch stands beside those that start at once', async () => {
    const { at, sendBatch } = producer();
    const tasks = [
      { service: 'echo' },
      { service: 'echo', delaySeconds: 5 },
      { service: 'echo', runAt: '2040-01-01T00:00:00Z' },
    ];
    const { results } = await documentIn(await ask(at, '/api/tasks/batch', { body: { tasks } }));
    expect((results as { status: string }[]).map(({ status }) => status)).toEqual(['queued', 'scheduled', 'scheduled']);
    expect([...(sendBatch.mock.calls[0]?.[0] ?? [])]).toHaveLength(2);
  });

  it.each([
    [{ delaySeconds: -1 }, '/delaySeconds'],
    [{ runAt: 'tomorrow' }, '/runAt'],
    [{ runAt: '2026-12-24T18:00:00' }, '/runAt'],
    [{ delaySeconds: 1, runAt: '2040-01-01T00:00:00Z' }, '/runAt'],
    [{ deadline: '2020-01-01T00:00:00Z' }, '/deadline'],
  ])('is refused with %j', async (said, field) => {
    const answer = await ask(producer().at, '/api/task', { body: { service: 'echo', ...said } });
    expect(answer.status).toBe(400);
    expect(await documentIn(answer)).toMatchObject({ errors: [{ field }] });
  });
});

describe('a submission', () => {
  it('says how many are before it, as the queue told with the send', async () => {
    const queue = queueStub();
    const metadata = { metrics: { backlogCount: 7, backlogBytes: 0 } };
    const busy = { ...queue, send: async () => ({ metadata }) };
    const answer = await documentIn(
      await ask(environment({ TASK_QUEUE_0: busy, TASK_QUEUE_1: busy }), '/api/task', { body: { service: 'echo' } }),
    );
    expect(answer).toMatchObject({ waitingFor: { reason: 'queue', ahead: 7 } });
    expect(answer).not.toHaveProperty('estimatedStartAt');
  });

  it('to a service whose calls are counted says how many wait before it, and when it probably starts', async () => {
    const { REGISTRY, ...rest } = environment() as { readonly REGISTRY: object };
    const value = { estimatedWaitSeconds: 40, waiting: 12, waitingForPlace: 12 };
    const registry = new Proxy(REGISTRY, {
      get: (target, name) => {
        if (name === 'getDemand') return async () => ({ ok: true, value });
        const member = Reflect.get(target, name) as unknown;
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    const counting = { ...rest, REGISTRY: registry };
    const token = await tokenFor('root', 'admin');
    const definition = { baseUrl: 'https://counted.example.com', requestsPerSecond: 1 };
    await ask(counting, '/api/services/counted', { method: 'PUT', token, body: definition });
    const submit = async () => documentIn(await ask(counting, '/api/task', { body: { service: 'counted' } }));
    // The first asks beside its own answer; what it learns is for those after it.
    await submit();
    await expect.poll(submit).toMatchObject({ waitingFor: { reason: 'server-busy', ahead: 12 } });
    const before = Date.now();
    const { estimatedStartAt, waitingFor } = (await submit()) as {
      estimatedStartAt: string;
      waitingFor: { until: string };
    };
    expect(Date.parse(estimatedStartAt)).toBeGreaterThanOrEqual(before + 40_000);
    expect(waitingFor.until).toBe(estimatedStartAt);
  });

  it('to a service that is paused says that it waits for that', async () => {
    const admin = environment();
    const token = await tokenFor('root', 'admin');
    await ask(admin, '/api/services/echo/pause', { method: 'POST', token });
    try {
      const answer = await documentIn(await ask(environment(), '/api/task', { body: { service: 'echo' } }));
      expect(answer).toMatchObject({ status: 'queued', waitingFor: { reason: 'paused' } });
      expect(answer).not.toHaveProperty('estimatedStartAt');
    } finally {
      await ask(admin, '/api/services/echo/resume', { method: 'POST', token });
    }
  });
});
