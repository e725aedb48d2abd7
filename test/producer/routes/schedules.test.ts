import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it } from 'vitest';
import { type Runtime, runtimeOf } from '../../../producer/runtime.ts';
import { runDueSchedules } from '../../../producer/schedules/run-due.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { decideRuns, readSchedule } from '../../../shared/store/schedules.ts';
import { ask, aTask, environment, idFor, queueStub, tokenFor } from '../client.ts';

const HOUR_MS = 3600_000;

const HOURLY = {
  name: 'hourly',
  cron: '0 * * * *',
  task: { service: 'echo', payload: { report: 'hourly' } },
};

function producer(queue = queueStub()) {
  const bindings = environment({ TASK_QUEUE_0: queue, TASK_QUEUE_1: queue });
  const runtime = runtimeOf(bindings) as Runtime;
  return { bindings, queue, run: (now: number) => runDueSchedules(runtime, now) };
}

async function define(subject: string, definition: Record<string, unknown>): Promise<number> {
  const answer = await ask(environment(), '/api/schedules', { token: await tokenFor(subject), body: definition });
  expect([200, 201], await answer.clone().text()).toContain(answer.status);
  const { nextRunAt } = await answer.json<{ nextRunAt: string }>();
  return Date.parse(nextRunAt);
}

const stored = (subject: string, name = 'hourly') => readSchedule(env.TASK_DB_0, subject, name);

afterEach(async () => {
  await env.TASK_DB_0.exec('DELETE FROM schedules');
});

describe('a run', () => {
  it('happens once, however many rounds find it due at the same time', async () => {
    const nextAt = await define('alice', HOURLY);
    const producers = Array.from({ length: 4 }, () => producer());
    await Promise.all(producers.map(({ run }) => run(nextAt + 1_000)));
    const ids = producers.flatMap(({ queue }) => queue.sent.map(({ task }) => task.id));
    expect(new Set(ids).size).toBe(1);
    expect(await stored('alice')).toMatchObject({ last_task: ids[0], pending: null, next_at: nextAt + HOUR_MS });
  });

  it('submits the task as it was written, for its owner', async () => {
    const written = '{"report": 1.0, "big": 9007199254740993}';
    const body = `{"name":"hourly","cron":"0 * * * *","task":{"service":"echo","payload":${written}}}`;
    const answer = await ask(environment(), '/api/schedules', { token: await tokenFor('alice'), body });
    expect(answer.status).toBe(201);
    expect(await answer.text()).toContain(written);
    const { queue, run } = producer();
    await run((await stored('alice'))?.next_at ?? 0);
    const [message] = queue.sent;
    expect(message?.task).toMatchObject({ subject: 'alice', service: 'echo' });
    expect(message?.task.request.body?.text).toBe(written);
  });

  it('that was decided by a round which then died is submitted by the next one, under the same id', async () => {
    const nextAt = await define('alice', HOURLY);
    const planned = await stored('alice');
    const id = await idFor('alice', nextAt);
    if (planned === undefined) throw new Error('there is no schedule');
    expect(await decideRuns(env.TASK_DB_0, planned, [{ at: nextAt, id }], nextAt + HOUR_MS)).toBe(true);
    const { queue, run } = producer();
    await run(nextAt + 60_000);
    await run(nextAt + 120_000);
    expect(queue.sent.map(({ task }) => task.id)).toEqual([id]);
    expect(await stored('alice')).toMatchObject({ pending: null, last_task: id, last_at: nextAt });
  });

  it('is left out, or cancels the older, while the one before it has not ended', async () => {
    const nextAt = await define('alice', { ...HOURLY, overlap: 'skip' });
    const first = producer();
    await first.run(nextAt);
    const id = first.queue.sent[0]?.task.id ?? '';
    await recordAccepted(env.TASK_DB_0, [aTask(id, 'alice')], undefined);
    const second = producer();
    await second.run(nextAt + HOUR_MS);
    expect(second.queue.sent).toEqual([]);
    expect(await stored('alice')).toMatchObject({ last_task: id, last_error: expect.stringContaining('skipped') });

    await define('alice', { ...HOURLY, overlap: 'queue' });
    const third = producer();
    await third.run(nextAt + 2 * HOUR_MS);
    expect(third.queue.sent).toHaveLength(1);
  });

  it('of a service that is gone says so and holds up no other schedule', async () => {
    const nextAt = await define('alice', HOURLY);
    await define('bob', HOURLY);
    await env.TASK_DB_0.prepare(`UPDATE schedules SET task = '{"service":"gone"}' WHERE subject = 'alice'`).run();
    const { queue, run } = producer();
    await run(nextAt);
    expect(queue.sent.map(({ task }) => task.subject)).toEqual(['bob']);
    expect((await stored('alice'))?.last_error).toContain('gone');
  });
});

describe('schedules', () => {
  it('are paused and resumed, and make up for nothing that was missed meanwhile', async () => {
    await define('alice', { ...HOURLY, catchUp: { upTo: 10 } });
    const token = await tokenFor('alice');
    const paused = await ask(environment(), '/api/schedules/hourly/pause', { method: 'POST', token });
    expect(await paused.json()).toMatchObject({ paused: true });
    const { queue, run } = producer();
    await run(Date.now() + 10 * HOUR_MS);
    expect(queue.sent).toEqual([]);
    const resumed = await ask(environment(), '/api/schedules/hourly/resume', { method: 'POST', token });
    const { nextRunAt } = await resumed.json<{ nextRunAt: string }>();
    expect(Date.parse(nextRunAt)).toBeGreaterThan(Date.now());
  });

  it('run now beside their plan', async () => {
    const nextAt = await define('alice', HOURLY);
    const { bindings, queue } = producer();
    const answer = await ask(bindings, '/api/schedules/hourly/run', { method: 'POST', token: await tokenFor('alice') });
    expect(answer.status).toBe(202);
    expect(queue.sent).toHaveLength(1);
    expect((await stored('alice'))?.next_at).toBe(nextAt);
  });

  it('are redefined by their name, and seen by their owner alone', async () => {
    await define('alice', HOURLY);
    await define('alice', { ...HOURLY, cron: '15 * * * *' });
    const list = async (subject: string) => {
      const answer = await ask(environment(), '/api/schedules', { token: await tokenFor(subject) });
      return (await answer.json<{ schedules: { cron: string }[] }>()).schedules.map(({ cron }) => cron);
    };
    expect(await list('alice')).toEqual(['15 * * * *']);
    expect(await list('bob')).toEqual([]);
    const foreign = await ask(environment(), '/api/schedules/hourly', { token: await tokenFor('bob') });
    expect(foreign.status).toBe(404);
  });

  it('that can never run, or name what is not there, are refused with the reason', async () => {
    const wrong: [Record<string, unknown>, number, string][] = [
      [{ ...HOURLY, cron: '61 * * * *' }, 400, '/cron'],
      [{ ...HOURLY, timeZone: 'Europe/Atlantis' }, 400, '/timeZone'],
      [{ ...HOURLY, overlap: 'sometimes' }, 400, '/overlap'],
      [{ ...HOURLY, task: { service: 'nowhere' } }, 422, '/task/service'],
      [{ ...HOURLY, task: { service: 'echo', fallback: ['echo'] } }, 400, '/task/fallback/0'],
      [{ ...HOURLY, every: '5 minutes' }, 400, '/every'],
      [{ ...HOURLY, task: { service: 'echo', idempotencyKey: 'once' } }, 400, '/task/idempotencyKey'],
      [
        { ...HOURLY, task: { service: 'echo', payloadUpload: 'upl_06fkcm2m9g0000000000000000000000' } },
        400,
        '/task/payloadUpload',
      ],
    ];
    for (const [definition, status, field] of wrong) {
      const answer = await ask(environment(), '/api/schedules', { token: await tokenFor('alice'), body: definition });
      expect(answer.status).toBe(status);
      const { errors, detail } = await answer.json<{ errors: { field: string }[]; detail: string }>();
      expect(errors[0]?.field).toBe(field);
      if (status === 400) expect(detail).toMatch(new RegExp(`^${field}: `));
    }
  });

  it('are deleted', async () => {
    await define('alice', HOURLY);
    const token = await tokenFor('alice');
    expect((await ask(environment(), '/api/schedules/hourly', { method: 'DELETE', token })).status).toBe(204);
    expect((await ask(environment(), '/api/schedules/hourly', { method: 'DELETE', token })).status).toBe(404);
  });
});
