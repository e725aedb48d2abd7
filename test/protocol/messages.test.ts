/** R24: an end that is to be told is told once, whatever crashes, and a receiver that is away hears of it when it is back. */
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ok, status } from './backend.ts';
import { HOUR_MS, MINUTE_MS, START } from './clock.ts';
import type { Fault } from './faults.ts';
import { House } from './house.ts';
import { comeToRest } from './rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

const messageOf = (id: string) => house.row(`${id}_w1`);

describe('R24 told once', () => {
  it('the end of a task is told as soon as it is recorded, with what names the task and nothing of its bodies', async () => {
    const task = await house.submit({ onComplete: {}, request: { path: '/work' } });
    house.backend.answer(task.id, ok({ secret: 'of the result' }));
    await comeToRest(house);
    expect(house.receiver.received).toHaveLength(1);
    const [{ id, at, headers, event } = {} as never] = house.receiver.received;
    expect({ id, at }).toEqual({ id: `${task.id}_w1`, at: START });
    expect(event).toEqual({
      type: 'task.succeeded',
      timestamp: new Date(START).toISOString(),
      data: {
        id: task.id,
        status: 'succeeded',
        service: 'bound',
        attempts: 1,
        finishedAt: new Date(START).toISOString(),
        taskUrl: `${env.PUBLIC_URL}/api/task/${task.id}`,
      },
    });
    expect(Object.fromEntries(headers)).toMatchObject({ 'content-type': 'application/json', 'tasklane-hops': '1' });
    for (const name of ['task-callback-token', 'task-callback-url', 'authorization'])
      expect(headers.has(name)).toBe(false);
    expect(await messageOf(task.id)).toMatchObject({ status: 'succeeded', run: 1, subject: 'alice' });
  });

  it('only the ends that were asked for are told, with the class of the error', async () => {
    const onComplete = { on: ['failed' as const, 'expired' as const] };
    const good = await house.submit({ onComplete });
    const bad = await house.submit({ onComplete });
    house.backend.answer(bad.id, status(422));
    await comeToRest(house);
    expect(house.receiver.told).toEqual([{ type: 'task.failed', id: bad.id }]);
    expect(house.receiver.received[0]?.event.data).toMatchObject({ errorClass: 'http', httpStatus: 422 });
    expect((await house.rows()).map(({ id }) => id).sort()).toEqual([good.id, bad.id, `${bad.id}_w1`].sort());
  });

  it('cancelled before its first message arrived, a task is told of when the message comes', async () => {
    const task = await house.submit({ onComplete: {} });
    await house.cancel(task);
    expect((await house.rows()).map(({ id }) => id)).toEqual([task.id]);
    await comeToRest(house);
    expect(house.receiver.told).toEqual([{ type: 'task.cancelled', id: task.id }]);
  });

  it('cancelled before its first message arrived, which comes past the deadline, a task is told of all the same', async () => {
    const task = await house.submit({ onComplete: {}, deadlineMs: 1_000 });
    await house.cancel(task);
    await house.clock.moveTo(START + 2_000);
    await comeToRest(house);
    expect(house.receiver.received.map(({ event }) => event.type)).toEqual(['task.cancelled']);
  });

  it('a task whose message comes past its deadline is told of as expired', async () => {
    const task = await house.submit({ onComplete: {}, deadlineMs: 1_000 });
    await house.clock.moveTo(START + 5_000);
    await comeToRest(house);
    expect(house.receiver.told).toEqual([{ type: 'task.expired', id: task.id }]);
  });

  it('retried by hand, a task that ends again is told of again, as a message of its own', async () => {
    const task = await house.submit({ onComplete: {} });
    house.backend.answer(task.id, status(422));
    await comeToRest(house);
    await house.retry(task.id);
    await comeToRest(house);
    expect(house.receiver.received.map(({ id, event }) => [id, event.type])).toEqual([
      [`${task.id}_w1`, 'task.failed'],
      [`${task.id}_w2`, 'task.succeeded'],
    ]);
  });

  it('a receiver that is down for an hour gets each message once when it is back', async () => {
    house.watching = false;
    house.receiver.isDown = true;
    const tasks: { readonly id: string }[] = [];
    for (let count = 0; count < 5; count++) tasks.push(await house.submit({ onComplete: {} }));
    house.plan(START + HOUR_MS, async () => {
      house.receiver.isDown = false;
    });
    await comeToRest(house);
    expect(house.receiver.calls).toBeGreaterThan(5 * 5);
    expect(house.receiver.received.every(({ at }) => at >= START + HOUR_MS)).toBe(true);
    expect(house.receiver.received.map(({ id }) => id).sort()).toEqual(tasks.map(({ id }) => `${id}_w1`).sort());
    // What was submitted ended at once: a receiver that is away holds up no task.
    for (const { id } of tasks) expect((await house.row(id)).finished_at).toBe(START);
  });

  const ends: readonly (readonly [at: string, fault: Fault])[] = [
    ['db.record', 'crash-before'],
    ['db.record', 'crash-after'],
    ['db.record', 'lost-answer'],
    ['db.record', 'down'],
    ['ledger.settle', 'crash-after'],
    ['queue.send', 'crash-before'],
    ['queue.send', 'crash-after'],
    ['queue.send', 'down'],
    ['queue.send', 'lost-answer'],
    ['db.other', 'down'],
    ['receiver', 'crash-before'],
    ['receiver', 'crash-after'],
    ['receiver', 'down'],
    ['receiver', 'lost-answer'],
  ];
  it.each(ends)('a fault at %s (%s) neither loses nor doubles the message', async (at, fault) => {
    const task = await house.submit({ onComplete: {} });
    house.faults.once(at, fault);
    await comeToRest(house);
    expect(house.receiver.told).toEqual([{ type: 'task.succeeded', id: task.id }]);
    expect((await house.rows()).map(({ id }) => id)).toEqual([task.id, `${task.id}_w1`]);
  });

  it('every wake-up of messages is lost: the sweeper sends them', async () => {
    const task = await house.submit({ onComplete: {} });
    house.faults.always('queue.send', 'down');
    house.plan(START + 10 * MINUTE_MS, async () => house.faults.mend('queue.send'));
    await comeToRest(house);
    expect(house.receiver.told).toEqual([{ type: 'task.succeeded', id: task.id }]);
  });
});

describe('a receiver that wants no more', () => {
  it.each([
    ['of this message', () => new Response(null, { status: 400, headers: { 'webhook-delivery': 'abort-message' } }), 0],
    ['of any, by the header', () => new Response(null, { status: 400, headers: { 'webhook-delivery': 'disable' } }), 1],
    ['of any, because it is gone', () => new Response(null, { status: 410 }), 1],
  ])('%s: the message fails, and a hook that is disabled is paused', async (_, answer, paused) => {
    house.receiver.answers.push(answer());
    const first = await house.submit({ onComplete: {} });
    await comeToRest(house);
    expect(await messageOf(first.id)).toMatchObject({ status: 'failed', run: 1 });
    expect([...house.registry.catalog.paused.keys()]).toHaveLength(paused);
  });

  it('the next messages of a paused hook wait and say so, and those of another hook do not', async () => {
    house.receiver.answers.push(new Response(null, { status: 410 }));
    await house.submit({ onComplete: {} });
    await comeToRest(house);
    await house.clock.moveTo(START + MINUTE_MS);
    const next = await house.submit({ onComplete: {} });
    const other = await house.submit({ onComplete: { url: 'https://hooks.test/other' } });
    for (let round = 0; round < 3; round++) await house.deliver();
    expect(await messageOf(next.id)).toMatchObject({ status: 'deferred', reason: 'paused' });
    expect(await messageOf(other.id)).toMatchObject({ status: 'succeeded' });
  });
});
