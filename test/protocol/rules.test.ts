/** The rules of PROTOCOL.md that no row of its table stands for. */
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { setPaused } from '../../callback/registry/services.ts';
import { ServerLeases } from '../../consumer/capacity/server-leases.ts';
import type { Settlement } from '../../shared/ledger/contract.ts';
import { type NewTask, newTaskMessage, type TaskMessage } from '../../shared/message/task-message.ts';
import { servicesSchema } from '../../shared/service/definition.ts';
import { recordAccepted } from '../../shared/store/accept.ts';
import { recoverAfterRestart } from '../../shared/store/recovery.ts';
import { requestColumns } from '../../shared/store/request-columns.ts';
import { accepted, ok, refused, status } from './backend.ts';
import { DAY_MS, HOUR_MS, House, MINUTE_MS, START } from './house.ts';
import { comeToRest } from './rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

const latestCall = (id: string) => house.backend.callsOf(id).at(-1)!;
const success = { status: 'succeeded' } as const;
const failure = { status: 'failed', message: 'out of paper', retryable: true } as const;

describe('R1 carrier: what accept answers with yes has one', () => {
  it('a task that no queue takes is recorded as due', async () => {
    const task = await house.mint();
    house.faults.always('queue.send', 'down');
    expect(await house.accept(task, false)).toBe(true);
    house.faults.heal();
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
  });
});

describe('R1 carrier: a wake-up that is lost', () => {
  it('shortly before the deadline leaves a task that is due at it, and ends then', async () => {
    const task = await house.submit({ deadlineMs: 30_000, baseSeconds: 0 });
    house.backend.answer(task.id, accepted());
    await house.deliver();
    house.post.loses = () => true;
    await house.report(latestCall(task.id), failure);
    expect(await house.row(task.id)).toMatchObject({ status: 'retrying', due_at: task.deadlineAt });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'expired' });
  });

  it('is found after the deadline by the net, between two minutes too', async () => {
    const task = await house.submit({ deadlineMs: 30_000 });
    await house.callback('accept', ({ db }) => recordAccepted(db, [task], undefined));
    for (const letter of house.post.waiting()) house.post.lose(letter);
    house.writes += 1;
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'expired' });
  });
});

describe('R2 the row decides: the lease is looked at before the deadline', () => {
  it('a success that is being recorded at the deadline counts', async () => {
    const task = await house.submit({ deadlineMs: 10_000 });
    house.backend.answer(task.id, house.backend.after(9_000, ok()));
    house.faults.latency = async (effect) => {
      if (effect === 'ledger.settle') await house.clock.sleep(5_000);
    };
    house.post.duplicate(house.ready()[0]!, 12);
    house.plan(START + 2_000, async () => house.post.put('dead', house.post.sent[0]?.body));
    house.plan(START + 12_000, () => house.sweep());
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
  });
});

describe('R3 run number: attempts used are runs without deferrals and what a manual retry wrote off', () => {
  it('a deferral consumes no attempt', async () => {
    const task = await house.submit({ maxAttempts: 1 });
    house.backend.answer(task.id, status(429), status(503, { 'retry-after': '1' }));
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 3, deferrals: 2 });
  });

  it('a manual retry gives fresh attempts and a new deadline', async () => {
    const task = await house.submit({ maxAttempts: 2 });
    house.backend.answer(task.id, ...Array.from({ length: 4 }, () => status(500)));
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'failed', run: 2 });
    await house.retry(task.id, HOUR_MS);
    const retriedAt = house.clock.now;
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'failed', run: 4, deadline_at: retriedAt + HOUR_MS });
    expect(house.backend.callsOf(task.id).map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
  });

  it('a manual retry gives a task as long as it was given at first, however often it is retried', async () => {
    const task = await house.submit({ maxAttempts: 1, deadlineMs: 2 * HOUR_MS });
    house.backend.answer(task.id, ...Array.from({ length: 3 }, () => status(500)));
    await comeToRest(house);
    for (let turn = 0; turn < 2; turn++) {
      await house.clock.moveTo(house.clock.now + DAY_MS);
      const deadlineAt = house.clock.now + 2 * HOUR_MS;
      expect(await house.retry(task.id)).toEqual({ ok: true, status: 'queued', changed: true, deadlineAt });
      await comeToRest(house);
      expect(await house.row(task.id)).toMatchObject({ status: 'failed', deadline_at: deadlineAt });
    }
  });

  it('what is cancelled stays cancelled, what succeeded stays so', async () => {
    const done = await house.submit();
    await house.deliver();
    const gone = await house.submit();
    await house.cancel(gone);
    for (const { id } of [done, gone]) {
      expect(await house.retry(id)).toMatchObject({ ok: false, code: 'not-retryable' });
    }
    await comeToRest(house);
  });
});

describe('R8 local queue in memory', () => {
  it('after kill -9 every accepted task finishes', async () => {
    const order = { baseSeconds: 60 };
    const untouched = await house.mint();
    expect(await house.accept(untouched, true)).toBe(true);
    const others = () => house.ready().filter(({ taskId }) => taskId !== untouched.id);
    const retrying = await house.submit(order);
    house.backend.answer(retrying.id, status(500, { 'retry-after': '600' }));
    const deferred = await house.submit({ service: 'fetched' });
    house.backend.answer(deferred.id, status(429, { 'retry-after': '7200' }));
    const waiting = await house.submit();
    house.backend.answer(waiting.id, accepted());
    await house.deliver(others());
    const running = await house.submit();
    house.faults.once('backend', 'crash-after');
    await house.deliver(others());
    expect((await house.rows()).map(({ status: state }) => state).sort()).toEqual(
      ['deferred', 'queued', 'retrying', 'running', 'waiting'].sort(),
    );

    house.post.letters.clear();
    await house.clock.moveTo(START + 10_000);
    expect(await house.callback('start', ({ db }) => recoverAfterRestart(db, Date.now()))).toEqual({
      how: 'returned',
      value: 4,
    });
    await house.report(latestCall(waiting.id), success);
    await comeToRest(house);
    for (const { id } of [untouched, retrying, deferred, waiting, running]) {
      expect(await house.row(id)).toMatchObject({ status: 'succeeded' });
    }
    expect(latestCall(retrying.id).startedAt).toBeGreaterThanOrEqual(START + 600_000);
    // Nobody is left to hold the lease, so the first sweep brings the task back.
    expect(latestCall(running.id).startedAt).toBe(START + MINUTE_MS);
  });

  it('with `queue+record` 202 waits for the row', async () => {
    const task = await house.mint();
    house.faults.once('db.accept', 'down');
    expect(await house.accept(task, true)).toBe(false);
    expect(await house.accept(task, true)).toBe(true);
    expect(await house.row(task.id)).toMatchObject({ status: 'queued' });
    await comeToRest(house);
  });
});

describe('R9 net', () => {
  it('a task whose message the platform lost ends after its deadline', async () => {
    const task = await house.submit({ deadlineMs: HOUR_MS });
    house.backend.answer(task.id, status(500));
    await house.deliver();
    house.post.lose(house.post.waiting()[0]!);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'expired', run: 1 });
  });

  it('so does one that was running when its message was lost', async () => {
    const task = await house.submit({ deadlineMs: HOUR_MS });
    house.faults.once('backend', 'crash-after');
    await house.deliver();
    house.post.lose(house.post.waiting()[0]!);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'expired', run: 1 });
  });
});

describe('R12 cancel', () => {
  it('a running call is aborted, the backend is told, and the task ends cancelled', async () => {
    const task = await house.submit({ service: 'fetched' });
    house.backend.answer(task.id, house.backend.silent());
    house.plan(START + 1_000, () => house.cancel(task));
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'cancelled', run: 1 });
    expect(latestCall(task.id)).toMatchObject({ ending: 'aborted', endedAt: START + 5_000 });
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
    house.join('one');
    const task = await house.submit({ service: 'served' });
    house.backend.answer(task.id, accepted());
    await house.deliver();
    house.join('two');
    await house.cancel(task);
    await comeToRest(house);
    expect(house.backend.told).toEqual([task.id]);
    expect(house.backend.toldAt).toEqual([`http://one.test/work/${task.id}`]);
  });

  it('a task that a registered server accepted while it was cancelled: that server is told', async () => {
    house.services = servicesSchema(true).parse({ served: { cancelPath: '/work/{id}' } });
    house.join('one');
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
    expect(await house.report(latestCall(task.id), success)).toMatchObject({ ok: false, code: 'task-finished' });
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

describe('R14 calls respect the lease', () => {
  it('a call that never ends is aborted within it, and the task tried again', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, house.backend.silent());
    await comeToRest(house);
    expect(house.backend.callsOf(task.id).map(({ ending }) => ending)).toEqual(['aborted', 200]);
    expect(house.backend.callsOf(task.id)[0]?.endedAt).toBe(START + 30_000);
  });
});

describe('R15 promptness', () => {
  it('a short delay beside a long call is over when it is over, not when the call ends', async () => {
    const quick = await house.submit();
    const slow = await house.submit();
    house.backend.answer(quick.id, status(500, { 'retry-after': '5' }));
    house.backend.answer(slow.id, house.backend.after(25_000, ok()));
    await comeToRest(house);
    expect(house.backend.callsOf(quick.id)).toHaveLength(2);
    expect(latestCall(quick.id).startedAt).toBeLessThan(latestCall(slow.id).endedAt ?? 0);
    expect((await house.row(quick.id)).finished_at).toBeLessThan(START + 25_000);
  });

  it('a copy that cannot be sent leaves the message as it was', async () => {
    const quick = await house.submit();
    const slow = await house.submit();
    house.backend.answer(quick.id, status(500, { 'retry-after': '5' }));
    house.backend.answer(slow.id, house.backend.after(25_000, ok()));
    house.faults.always('queue.send', 'down');
    await comeToRest(house);
    expect(house.backend.callsOf(quick.id)).toHaveLength(2);
  });
});

describe('R16 back off from the database too', () => {
  it('a failed claim retries its message with a growing delay', async () => {
    await house.submit();
    house.faults.always('db', 'down');
    const delays: number[] = [];
    for (let count = 0; count < 12; count++) {
      await house.deliver();
      const { visibleAt } = house.post.waiting()[0]!;
      delays.push((visibleAt - house.clock.now) / 1000);
      await house.clock.moveTo(visibleAt);
    }
    expect(delays).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
    house.faults.heal();
    await comeToRest(house);
  });

  it('a message older than half its retention is copied afresh', async () => {
    const task = await house.submit({ deadlineMs: 7 * DAY_MS });
    const [old] = house.ready();
    house.backend.answer(task.id, status(429, { 'retry-after': '7200' }));
    await house.clock.moveTo(START + 2 * DAY_MS);
    await house.deliver();
    const [copy] = house.post.waiting();
    expect(house.post.waiting()).toHaveLength(1);
    expect(copy).toMatchObject({ attempts: 0, sentAt: START + 2 * DAY_MS, body: old?.body });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('a deferred task outlives more than 100 deliveries of its message', async () => {
    const task = await house.submit({ deadlineMs: 12 * HOUR_MS });
    for (const letter of house.ready()) letter.attempts = 99;
    house.backend.answer(task.id, status(429), status(429), status(429));
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 4 });
    expect(house.post.sent.filter(({ queue }) => queue === 'dead')).toEqual([]);
  });
});

describe('R17 callbacks are idempotent', () => {
  async function waitingTask() {
    const task = await house.submit();
    house.backend.answer(task.id, accepted());
    await house.deliver();
    return task;
  }

  it('the same success again is fine and changes nothing', async () => {
    const task = await waitingTask();
    const call = latestCall(task.id);
    expect(await house.report(call, success)).toEqual({ ok: true, status: 'succeeded', changed: true });
    const before = await house.row(task.id);
    expect(await house.report(call, success)).toEqual({ ok: true, status: 'succeeded', changed: false });
    expect(await house.row(task.id)).toEqual(before);
    expect(await house.report(call, failure)).toMatchObject({ ok: false, code: 'task-finished' });
    await comeToRest(house);
  });

  it('another success is refused, and the first result stays', async () => {
    const task = await waitingTask();
    const call = latestCall(task.id);
    const result = (text: string) => ({
      ...success,
      result: { type: 'application/json', encoding: 'json', text } as const,
    });
    expect(await house.report(call, result('{"pages":3}'))).toMatchObject({ ok: true, changed: true });
    expect(await house.report(call, result('{"pages":3}'))).toMatchObject({ ok: true, changed: false });
    for (const other of [result('{"pages":4}'), success]) {
      expect(await house.report(call, other)).toMatchObject({ ok: false, code: 'task-finished' });
    }
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', result: '{"pages":3}' });
    await comeToRest(house);
  });

  it('the same failure again is fine, also when the task has gone on', async () => {
    const task = await waitingTask();
    const call = latestCall(task.id);
    expect(await house.report(call, failure)).toEqual({ ok: true, status: 'retrying', changed: true });
    house.backend.answer(task.id, accepted());
    await house.clock.moveTo(START + 10_000);
    await house.deliver();
    const before = await house.row(task.id);
    expect(before).toMatchObject({ status: 'waiting', run: 2, failures: 1 });
    expect(await house.report(call, failure)).toEqual({ ok: true, status: 'waiting', changed: false });
    expect(await house.row(task.id)).toEqual(before);
    await house.report(latestCall(task.id), success);
    await comeToRest(house);
  });

  it('a report whose write lost its answer is the same again', async () => {
    const task = await waitingTask();
    house.faults.once('db.record', 'lost-answer');
    expect(await house.report(latestCall(task.id), success)).toBeUndefined();
    expect(await house.report(latestCall(task.id), success)).toMatchObject({ ok: true, changed: false });
    await comeToRest(house);
  });

  it('a success that overtakes the 202 is the end', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, async (call) => {
      expect(await house.report(call, success)).toMatchObject({ ok: true, status: 'succeeded' });
      return new Response(null, { status: 202 });
    });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
  });

  it('a failure that overtakes the 202 leads to one more run, not two', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, async (call) => {
      expect(await house.report(call, failure)).toMatchObject({ ok: true, status: 'retrying' });
      return new Response(null, { status: 202 });
    });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2, failures: 1 });
  });

  it('a late success of an older run ends the task, whatever the newer one says', async () => {
    const task = await waitingTask();
    const old = latestCall(task.id);
    await house.clock.moveTo(START + 300_000);
    await house.sweep();
    house.backend.answer(task.id, async () => {
      const report = { ...success, result: { type: 'application/json', encoding: 'json', text: '{"by":1}' } } as const;
      expect(await house.report(old, report)).toMatchObject({ ok: true, status: 'succeeded' });
      return new Response('too late', { status: 500 });
    });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2, result: '{"by":1}', error: null });
  });

  it('a late failure of an older run is refused', async () => {
    const task = await waitingTask();
    const old = latestCall(task.id);
    await house.clock.moveTo(START + 300_000);
    await house.sweep();
    house.backend.answer(task.id, async (call) => {
      expect(await house.report(old, failure)).toMatchObject({ ok: false, code: 'stale-attempt' });
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
    expect(await house.report(latestCall(task.id), { status: 'running', percent: 50 })).toMatchObject({ ok: true });
    expect((await house.row(task.id)).due_at).toBe(START + 500_000);
    // A sign of life that says nothing new keeps what was said before.
    await house.clock.moveTo(START + 300_000);
    expect(await house.report(latestCall(task.id), { status: 'running' })).toMatchObject({ ok: true });
    expect((await house.row(task.id)).due_at).toBe(START + 600_000);
    const shown = await env.DB.prepare('SELECT progress FROM tasks WHERE id = ?1').bind(task.id).first('progress');
    expect(JSON.parse(String(shown))).toMatchObject({ percent: 50 });
    await house.report(latestCall(task.id), success);
    expect(await house.report(latestCall(task.id), { status: 'running' })).toMatchObject({ code: 'task-finished' });
    await comeToRest(house);
  });

  it('a forged token and the token of another task say nothing', async () => {
    const task = await waitingTask();
    const other = await waitingTask();
    const { token } = latestCall(task.id);
    for (const forged of ['', 'x', `2${token.slice(1)}`, `${token.slice(0, -1)}_`, latestCall(other.id).token]) {
      expect(await house.report({ id: task.id, token: forged }, success)).toMatchObject({ code: 'unauthenticated' });
    }
    for (const { id } of [task, other]) await house.report(latestCall(id), success);
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
    house.plan(START + 8 * MINUTE_MS, () => house.report(latestCall(task.id), success));
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

describe('R18 deferrals are bounded', () => {
  it('`Retry-After: 0` does not spin: the pause grows to five minutes, and the deadline ends it', async () => {
    const task = await house.submit({ deadlineMs: 2 * HOUR_MS, maxAttempts: 1 });
    house.backend.fallback = status(429, { 'retry-after': '0' });
    await comeToRest(house);
    const row = await house.row(task.id);
    expect(row).toMatchObject({ status: 'expired' });
    expect(row.finished_at).toBeLessThanOrEqual(START + 2 * HOUR_MS + MINUTE_MS);
    const starts = house.backend.callsOf(task.id).map(({ startedAt }) => startedAt);
    const pauses = starts.slice(1).map((start, index) => start - (starts[index] ?? 0));
    for (const [index, pause] of pauses.entries()) {
      expect(pause).toBeGreaterThanOrEqual(Math.min(300_000, 1_000 * 2 ** index));
    }
  });
});

describe('R19 503 promises nothing', () => {
  it('a refused submission that was stored all the same still ends once', async () => {
    const task = await house.mint();
    house.faults.always('queue.send', 'down');
    house.faults.once('db.accept', 'lost-answer');
    expect(await house.accept(task, false)).toBe(false);
    house.faults.heal();
    house.promises.accepted.set(task.id, task);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
  });
});

describe('R20 waiting room', () => {
  /** For which nobody is there: its letter is acked, its row carries it. */
  async function parkedTask(order: Parameters<House['submit']>[0] = {}) {
    const task = await house.submit({ service: 'served', ...order });
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({
      status: 'deferred',
      reason: 'no-server',
      parked_for: 'service:served',
    });
    expect(house.post.waiting()).toEqual([]);
    return task;
  }

  it('a task without a server waits for one, without a message and without losing an attempt', async () => {
    const task = await parkedTask({ maxAttempts: 1 });
    house.plan(START + 20_000, async () => void house.join('late'));
    house.plan(START + 20_000, () => house.release());
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2, deferrals: 1, parked_for: null });
    expect(house.backend.callsOf(task.id)[0]?.startedAt).toBe(START + 20_000);
  });

  it('a crash after the rows say so, before the wake-ups go', async () => {
    const task = await parkedTask();
    house.join('late');
    house.faults.once('queue.send', 'crash-before');
    expect(await house.release()).toEqual({ how: 'killed' });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
    expect(house.backend.callsOf(task.id)[0]?.startedAt).toBe(START + MINUTE_MS);
  });

  it('the wake-up meets the row that was written before it', async () => {
    const task = await parkedTask();
    house.join('late');
    house.post.afterSend = async (letters) => {
      await house.deliver([...letters]);
    };
    await house.release();
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('an event that never comes: the task looks again at its fallback, and is sent again if that is lost', async () => {
    const task = await parkedTask();
    house.servesLines = false;
    house.join('late');
    const { due_at: fallback } = await house.row(task.id);
    const sent = house.post.sent.length;
    house.post.loses = () => house.post.sent.length < sent + 3;
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
    const round = Math.ceil(fallback! / MINUTE_MS) * MINUTE_MS;
    const minutes = house.post.sent.slice(sent).map(({ sentAt }) => (sentAt - round) / MINUTE_MS);
    expect(minutes).toEqual([0, 1, 3]);
  });

  it('a duplicate that meets a parked task is acked, and changes nothing', async () => {
    const task = await house.submit({ service: 'served' });
    house.post.duplicate(house.ready()[0]!, 10);
    await house.deliver();
    await house.clock.moveTo(START + 10_000);
    await house.deliver();
    expect(house.post.waiting()).toEqual([]);
    expect(await house.row(task.id)).toMatchObject({ run: 1, parked_for: 'service:served' });
    house.join('late');
    await house.release();
    await comeToRest(house);
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });

  it('a duplicate that comes after the fallback, before the sweeper, runs it', async () => {
    const task = await house.submit({ service: 'served' });
    house.post.duplicate(house.ready()[0]!, 600);
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ parked_for: 'service:served' });
    house.join('late');
    await house.clock.moveTo(START + 600_000);
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2, parked_for: null, due_at: null });
  });

  it('an answer lost on the way of parking leaves it parked', async () => {
    const task = await house.submit({ service: 'served' });
    house.faults.once('ledger.settle', 'lost-answer');
    await house.deliver();
    expect(house.post.waiting()).toEqual([]);
    expect(await house.row(task.id)).toMatchObject({ parked_for: 'service:served', deferrals: 1 });
    house.join('late');
    await house.release();
    await comeToRest(house);
  });

  it('a paused service keeps its tasks until it is resumed', async () => {
    house.join('there');
    house.registryObject.change((registry) => setPaused(registry, 'served', {}));
    const task = await house.submit({ service: 'served' });
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ reason: 'paused', parked_for: 'service:served' });
    house.registryObject.change((registry) => setPaused(registry, 'served', undefined));
    await house.release();
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });
});

describe('R21 alone', () => {
  it('a settlement that the database refuses costs no other its outcome', async () => {
    const [odd, mate] = [await house.submit(), await house.submit()];
    house.backend.fallback = house.backend.silent();
    const settlements = await house.ledger(async (session) => {
      const claims = [odd, mate].map(({ id, request, ...task }) => ({
        id,
        leaseMs: 61_000,
        task: { ...task, ...requestColumns(request) },
      }));
      const grants = await session.claim({ nonce: crypto.randomUUID(), claims });
      return session.settle(
        grants.flatMap((grant) => {
          if (!grant.granted) return [];
          const { id, state } = grant;
          // More deferrals than runs: a CHECK refuses the row.
          const deferrals = id === odd.id ? 5 : 0;
          return [{ id, state: { ...state, deferrals }, event: { type: 'succeed', at: Date.now(), run: 1 } as const }];
        }),
      );
    });
    house.refusals.length = 0;
    expect(settlements).toMatchObject([
      // It is tried once more against what its row says.
      { id: odd.id, status: 'succeeded', disposition: { kind: 'ack' } },
      { id: mate.id, status: 'succeeded', disposition: { kind: 'ack' } },
    ]);
  });

  it('a settlement that cannot be read costs no other its outcome, and is answered', async () => {
    const task = await house.submit();
    const odd = await house.mint();
    const state = {
      status: 'running',
      run: 1,
      deferrals: 0,
      attemptsOffset: 0,
      policy: task.policy,
      deadlineAt: 1e15,
      leaseUntil: 1e15,
    };
    await house.deliver();
    const answers = await house.ledger((session) =>
      session.settle([
        { id: odd.id, state, event: { type: 'fail', at: 0, run: 1.5, retryable: true, delayMs: 0 } },
        { id: task.id, state, event: { type: 'succeed', at: 0, run: 1 } },
      ] as Settlement[]),
    );
    expect(answers).toMatchObject([
      { id: task.id, status: 'succeeded' },
      { id: odd.id, status: 'unreadable', disposition: { kind: 'retry' } },
    ]);
  });

  it('a claim that the database refuses costs no other its run', async () => {
    const [odd, mate] = [await house.mint(), await house.mint()];
    const answers = await house.ledger((session) => {
      const claims = [odd, mate].map(({ id, request, ...task }) => {
        const columns = requestColumns(request);
        // SQLite reads JSON that is a thousand levels deep, and no deeper.
        if (id === odd.id) columns.request.deep = JSON.parse(`${'['.repeat(1_100)}${']'.repeat(1_100)}`);
        return { id, leaseMs: 61_000, task: { ...task, ...columns } };
      });
      return session.claim({ nonce: crypto.randomUUID(), claims });
    });
    house.refusals.length = 0;
    expect(answers).toMatchObject([
      { id: odd.id, granted: false, status: 'unreadable', disposition: { kind: 'retry' } },
      { id: mate.id, granted: true },
    ]);
  });

  it('a row that cannot be read costs no other task of its batch', async () => {
    const odd = await house.submit();
    await house.deliver(house.ready());
    const mate = await house.submit();
    const without = "status = 'deferred', finished_at = NULL, reason = NULL, next_at = ?2";
    await env.DB.prepare(`UPDATE tasks SET ${without} WHERE id = ?1`)
      .bind(odd.id, START + HOUR_MS)
      .run();
    house.writes += 1;
    house.post.put('tasks', newTaskMessage(odd));
    await house.deliver();
    expect(await house.row(mate.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.post.waiting()).toHaveLength(1);
  });

  it('what breaks between the claim and the call gives its tasks back unattempted', async () => {
    const task = await house.submit({ service: 'served', maxAttempts: 1 });
    vi.spyOn(ServerLeases.prototype, 'take').mockRejectedValueOnce(new TypeError('a bug'));
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ status: 'deferred', reason: 'not-started', failures: 0 });
    house.join('one');
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('a hundred bodies of 64 KB are claimed in parts of a megabyte', async () => {
    const body = { type: 'text/plain', encoding: 'text', text: 'x'.repeat(60_000) } as const;
    const tasks: NewTask[] = [];
    for (let count = 0; count < 100; count++) {
      tasks.push(await house.submit({ service: 'fetched', request: { path: '/work', body } }));
    }
    await house.deliver();
    expect(house.claimed.length).toBeGreaterThanOrEqual(6);
    expect(Math.max(...house.claimed)).toBeLessThan(1_100_000);
    for (const { id } of tasks) expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 1 });
  });
});

describe('R22 leases by name', () => {
  const LIMIT = 3;

  async function submitLimited(count: number): Promise<NewTask[]> {
    house.services = servicesSchema(true).parse({ fetched: { baseUrl: 'http://backend.test', maxConcurrency: LIMIT } });
    const tasks: NewTask[] = [];
    for (let index = 0; index < count; index++) tasks.push(await house.submit({ service: 'fetched' }));
    return tasks;
  }

  it('the same question gets the same places, when its answer was lost', async () => {
    const tasks = await submitLimited(LIMIT);
    house.faults.once('registry.route', 'lost-answer');
    await house.deliver();
    for (const { id } of tasks)
      expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 1, deferrals: 0 });
    expect(house.registry.services.get('fetched')?.running).toEqual([]);
  });

  it('what a crashed batch held ends with its lease', async () => {
    const tasks = await submitLimited(LIMIT);
    house.faults.once('backend', 'crash-after', LIMIT);
    await house.deliver();
    expect(house.registry.services.get('fetched')?.running).toHaveLength(LIMIT);
    await comeToRest(house);
    for (const { id } of tasks) expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 2 });
    expect(house.backend.mostAtOnce).toBe(LIMIT);
    expect(Math.max(...house.backend.calls.map(({ startedAt }) => startedAt))).toBeLessThan(START + 5 * MINUTE_MS);
  });
});

describe('quick retries', () => {
  it('a connection that gave no answer to a request without a body is tried again at once, and is one attempt', async () => {
    const task = await house.submit({ service: 'fetched', request: { method: 'GET' } });
    house.backend.answer(task.id, refused(), refused());
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1, failures: 0 });
    expect(house.backend.callsOf(task.id).map(({ ending }) => ending)).toEqual(['broken', 'broken', 200]);
  });
});
