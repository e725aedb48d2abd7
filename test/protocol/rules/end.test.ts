/** Rules of the protocol: how a task ends, and who is told. */
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewTask, TaskMessage } from '../../../shared/message/task-message.ts';
import { servicesSchema } from '../../../shared/service/definition.ts';
import { accepted, ok, status } from '../backend.ts';
import { MINUTE_MS, START } from '../clock.ts';
import { House } from '../house.ts';
import { comeToRest } from '../rest.ts';
import { FAILURE, latestCall, SUCCESS, waitingTask } from '../staged-task.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

describe('R12 cancel', () => {
  it('a running call is aborted, the backend is told, and the task ends cancelled', async () => {
    const task = await house.submit({ service: 'fetched' });
    house.backend.answer(task.id, house.backend.silent());
    house.plan(START + 1_000, () => house.cancel(task));
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'cancelled', run: 1 });
    expect(latestCall(house, task.id)).toMatchObject({ ending: 'aborted', endedAt: START + 5_000 });
    expect(house.backend.told).toEqual([task.id]);
  });

  it('a backend that accepts a task cancelled meanwhile is told', async () => {
    const task = await house.submit({ service: 'fetched' });
    house.backend.answer(task.id, house.backend.after(2_000, accepted()));
    house.plan(START + 1_000, () => house.cancel(task));
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'cancelled', run: 1 });
    expect(house.backend.told).toEqual([task.id]);
  });

  it('a waiting task of a registered server ends cancelled, and that server is told', async () => {
    house.services = servicesSchema(true).parse({ served: { cancelPath: '/work/{id}' } });
    house.fleet.join('one');
    const task = await house.submit({ service: 'served' });
    house.backend.answer(task.id, accepted());
    await house.deliver();
    house.fleet.join('two');
    await house.cancel(task);
    await comeToRest(house);
    expect(house.backend.told).toEqual([task.id]);
    expect(house.backend.toldAt).toEqual([`http://one.test/work/${task.id}`]);
  });

  it('a task that a registered server accepted while it was cancelled: that server is told', async () => {
    house.services = servicesSchema(true).parse({ served: { cancelPath: '/work/{id}' } });
    house.fleet.join('one');
    const task = await house.submit({ service: 'served' });
    house.backend.answer(task.id, async (call) => {
      await house.cancel(task);
      return accepted()(call);
    });
    await comeToRest(house);
    expect(house.backend.toldAt).toEqual([`http://one.test/work/${task.id}`]);
  });

  it('a waiting task ends cancelled, the backend is told, and its callback comes too late', async () => {
    const task = await house.submit({ service: 'fetched' });
    house.backend.answer(task.id, accepted());
    await house.deliver();
    expect(await house.cancel(task)).toEqual({ ok: true, status: 'cancelled', changed: true });
    expect(await house.cancel(task)).toEqual({ ok: true, status: 'cancelled', changed: false });
    expect(await house.report(latestCall(house, task.id), SUCCESS)).toMatchObject({ ok: false, code: 'task-finished' });
    await comeToRest(house);
    expect(house.backend.told).toEqual([task.id]);
  });

  it('a tombstone whose write reported an error is met again as cancelled', async () => {
    const task = await house.submit();
    house.faults.once('db.tombstone', 'lost-answer');
    expect(await house.cancel(task)).toBeUndefined();
    expect(await house.cancel(task)).toEqual({ ok: true, status: 'cancelled', changed: false });
    await comeToRest(house);
    expect(house.backend.calls).toEqual([]);
  });
});

describe('R17 callbacks are idempotent', () => {
  it('the same success again is fine and changes nothing', async () => {
    const task = await waitingTask(house);
    const call = latestCall(house, task.id);
    expect(await house.report(call, SUCCESS)).toEqual({ ok: true, status: 'succeeded', changed: true });
    const before = await house.row(task.id);
    expect(await house.report(call, SUCCESS)).toEqual({ ok: true, status: 'succeeded', changed: false });
    expect(await house.row(task.id)).toEqual(before);
    expect(await house.report(call, FAILURE)).toMatchObject({ ok: false, code: 'task-finished' });
    await comeToRest(house);
  });

  it('another success is refused, and the first result stays', async () => {
    const task = await waitingTask(house);
    const call = latestCall(house, task.id);
    const result = (text: string) => ({
      ...SUCCESS,
      result: { type: 'application/json', encoding: 'json', text } as const,
    });
    expect(await house.report(call, result('{"pages":3}'))).toMatchObject({ ok: true, changed: true });
    expect(await house.report(call, result('{"pages":3}'))).toMatchObject({ ok: true, changed: false });
    for (const other of [result('{"pages":4}'), SUCCESS]) {
      expect(await house.report(call, other)).toMatchObject({ ok: false, code: 'task-finished' });
    }
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', result: '{"pages":3}' });
    await comeToRest(house);
  });

  it('the same failure again is fine, also when the task has gone on', async () => {
    const task = await waitingTask(house);
    const call = latestCall(house, task.id);
    expect(await house.report(call, FAILURE)).toEqual({ ok: true, status: 'retrying', changed: true });
    house.backend.answer(task.id, accepted());
    await house.clock.moveTo(START + 10_000);
    await house.deliver();
    const before = await house.row(task.id);
    expect(before).toMatchObject({ status: 'waiting', run: 2, failures: 1 });
    expect(await house.report(call, FAILURE)).toEqual({ ok: true, status: 'waiting', changed: false });
    expect(await house.row(task.id)).toEqual(before);
    await house.report(latestCall(house, task.id), SUCCESS);
    await comeToRest(house);
  });

  it('a report whose write lost its answer is the same again', async () => {
    const task = await waitingTask(house);
    house.faults.once('db.record', 'lost-answer');
    expect(await house.report(latestCall(house, task.id), SUCCESS)).toBeUndefined();
    expect(await house.report(latestCall(house, task.id), SUCCESS)).toMatchObject({ ok: true, changed: false });
    await comeToRest(house);
  });

  it('a success that overtakes the 202 is the end', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, async (call) => {
      expect(await house.report(call, SUCCESS)).toMatchObject({ ok: true, status: 'succeeded' });
      return new Response(null, { status: 202 });
    });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
  });

  it('a failure that overtakes the 202 leads to one more run, not two', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, async (call) => {
      expect(await house.report(call, FAILURE)).toMatchObject({ ok: true, status: 'retrying' });
      return new Response(null, { status: 202 });
    });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2, failures: 1 });
  });

  it('a late success of an older run ends the task, whatever the newer one says', async () => {
    const task = await waitingTask(house);
    const old = latestCall(house, task.id);
    await house.clock.moveTo(START + 300_000);
    await house.sweep();
    house.backend.answer(task.id, async () => {
      const report = { ...SUCCESS, result: { type: 'application/json', encoding: 'json', text: '{"by":1}' } } as const;
      expect(await house.report(old, report)).toMatchObject({ ok: true, status: 'succeeded' });
      return new Response('too late', { status: 500 });
    });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2, result: '{"by":1}', error: null });
  });

  it('a late failure of an older run is refused', async () => {
    const task = await waitingTask(house);
    const old = latestCall(house, task.id);
    await house.clock.moveTo(START + 300_000);
    await house.sweep();
    house.backend.answer(task.id, async (call) => {
      expect(await house.report(old, FAILURE)).toMatchObject({ ok: false, code: 'stale-attempt' });
      return ok()(call);
    });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('progress extends the time for the callback, and is taken while waiting only', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, async (call) => {
      expect(await house.report(call, { status: 'running' })).toMatchObject({ ok: false, code: 'stale-attempt' });
      return new Response(null, { status: 202 });
    });
    await house.deliver();
    await house.clock.moveTo(START + 200_000);
    expect(await house.report(latestCall(house, task.id), { status: 'running', percent: 50 })).toMatchObject({
      ok: true,
    });
    expect((await house.row(task.id)).due_at).toBe(START + 500_000);
    // A sign of life that says nothing new keeps what was said before.
    await house.clock.moveTo(START + 300_000);
    expect(await house.report(latestCall(house, task.id), { status: 'running' })).toMatchObject({ ok: true });
    expect((await house.row(task.id)).due_at).toBe(START + 600_000);
    const shown = await env.DB.prepare('SELECT progress FROM tasks WHERE id = ?1').bind(task.id).first('progress');
    expect(JSON.parse(String(shown))).toMatchObject({ percent: 50 });
    await house.report(latestCall(house, task.id), SUCCESS);
    expect(await house.report(latestCall(house, task.id), { status: 'running' })).toMatchObject({
      code: 'task-finished',
    });
    await comeToRest(house);
  });

  it('a forged token and the token of another task say nothing', async () => {
    const task = await waitingTask(house);
    const other = await waitingTask(house);
    const { token } = latestCall(house, task.id);
    for (const forged of ['', 'x', `2${token.slice(1)}`, `${token.slice(0, -1)}_`, latestCall(house, other.id).token]) {
      expect(await house.report({ id: task.id, token: forged }, SUCCESS)).toMatchObject({ code: 'unauthenticated' });
    }
    for (const { id } of [task, other]) await house.report(latestCall(house, id), SUCCESS);
    await comeToRest(house);
  });
});

describe('R25 outcomes travel', () => {
  /** The database is away from the moment of the call, for so long. */
  async function calledWhileAway(awayMs: number, service = 'bound'): Promise<NewTask> {
    const task = await house.submit({ service });
    house.plan(START + 500, async () => house.faults.always('db', 'down'));
    house.plan(START + awayMs, async () => house.faults.mend('db'));
    return task;
  }

  it('a success that cannot be written for longer than its lease is recorded when the database is back, and nobody is called again', async () => {
    const task = await calledWhileAway(20 * MINUTE_MS);
    house.backend.answer(task.id, house.backend.after(1_000, ok()));
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });

  it('a failure is, too, and the next attempt follows by an ordinary wake-up', async () => {
    const task = await calledWhileAway(5 * MINUTE_MS);
    house.backend.answer(task.id, house.backend.after(1_000, status(500)), ok());
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2, failures: 1 });
    expect(house.backend.callsOf(task.id)).toHaveLength(2);
    expect(house.post.sent.map(({ body }) => (body as TaskMessage).kind)).toEqual(['task', 'outcome', 'wake']);
  });

  it('a 202 is, too, and the callback is waited for', async () => {
    const task = await calledWhileAway(5 * MINUTE_MS);
    house.backend.answer(task.id, house.backend.after(1_000, accepted()));
    house.plan(START + 8 * MINUTE_MS, () => house.report(latestCall(house, task.id), SUCCESS));
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });

  it('its message is copied before its last delivery', async () => {
    const task = await calledWhileAway(MINUTE_MS);
    house.backend.answer(task.id, house.backend.after(1_000, ok()));
    const outcomes = () => house.post.sent.filter(({ body }) => (body as TaskMessage).kind === 'outcome');
    house.post.afterSend = async () => {
      const [first, ...copies] = outcomes();
      if (first !== undefined && copies.length === 0) first.attempts = 99;
    };
    await comeToRest(house);
    expect(outcomes().map(({ queue }) => queue)).toEqual(['tasks', 'tasks']);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });

  it('given up by the platform, it leaves a task that is due and runs again', async () => {
    const task = await calledWhileAway(5 * MINUTE_MS);
    house.backend.answer(task.id, house.backend.after(1_000, ok()));
    house.post.afterSend = async (letters) => {
      for (const letter of letters) {
        if ((letter.body as TaskMessage).kind !== 'outcome') continue;
        house.post.letters.delete(letter);
        house.post.put('dead', letter.body);
      }
    };
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('what was cancelled stays cancelled, and the backend that works on it is told', async () => {
    const task = await calledWhileAway(5 * MINUTE_MS, 'fetched');
    house.backend.answer(task.id, house.backend.after(1_000, accepted()));
    house.plan(START + 5 * MINUTE_MS + 1, () => house.cancel(task));
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'cancelled', run: 1 });
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
    expect(house.backend.told).toEqual([task.id]);
  });
});
