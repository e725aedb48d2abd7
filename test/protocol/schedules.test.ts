/**
 * "Schedules that broke the first reading" of PROTOCOL.md, row by row. Each `describe` is a row; each
 * test fails when the rule behind it is taken out, which `npm run test:mutations` shows.
 */
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type NewTask, newTaskMessage } from '../../shared/message/task-message.ts';
import { servicesSchema } from '../../shared/service/definition.ts';
import { recordAccepted } from '../../shared/store/accept.ts';
import { requestColumns } from '../../shared/store/request-columns.ts';
import { accepted, ok, status } from './backend.ts';
import { FAULTS } from './faults.ts';
import { DAY_MS, HOUR_MS, House, MINUTE_MS, type Order, START } from './house.ts';
import { comeToRest } from './rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

const callbackTimeoutMs = 300_000;
const leaseMs = 61_000;

/** A task whose backend accepted it and has not called back: waiting, its letter acked. */
async function waitingTask(order: Parameters<House['submit']>[0] = {}) {
  const task = await house.submit(order);
  house.backend.answer(task.id, accepted());
  await house.deliver();
  expect(await house.row(task.id)).toMatchObject({ status: 'waiting' });
  expect(house.post.waiting()).toEqual([]);
  return task;
}

async function failedTask() {
  const task = await house.submit();
  house.backend.answer(task.id, status(400));
  await house.deliver();
  expect(await house.row(task.id)).toMatchObject({ status: 'failed' });
  return task;
}

const latestCall = (id: string) => house.backend.callsOf(id).at(-1)!;
const failure = { status: 'failed', message: 'out of paper', retryable: true } as const;

describe('crash after the row says `retrying`, before the send', () => {
  it('of the sweeper, after a callback did not come', async () => {
    const task = await waitingTask();
    await house.clock.moveTo(START + callbackTimeoutMs);
    house.faults.once('queue.send', 'crash-before');
    expect(await house.sweep()).toEqual({ how: 'killed' });
    expect(await house.row(task.id)).toMatchObject({ status: 'retrying' });
    expect(house.post.waiting()).toEqual([]);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('of the callback that reported a failure', async () => {
    const task = await waitingTask();
    house.faults.once('queue.send', 'crash-before');
    expect(await house.report(latestCall(task.id), failure)).toBeUndefined();
    expect(await house.row(task.id)).toMatchObject({ status: 'retrying' });
    expect(house.post.waiting()).toEqual([]);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('of the manual retry', async () => {
    const task = await failedTask();
    house.faults.once('queue.send', 'crash-before');
    expect(await house.retry(task.id)).toBeUndefined();
    expect(await house.row(task.id)).toMatchObject({ status: 'queued' });
    expect(house.post.waiting()).toEqual([]);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('of the sweeper that wakes the task again', async () => {
    const task = await failedTask();
    house.faults.once('queue.send', 'crash-before');
    await house.retry(task.id);
    await house.clock.moveTo(START + 2 * MINUTE_MS);
    house.faults.once('queue.send', 'crash-before');
    expect(await house.sweep()).toEqual({ how: 'killed' });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('of the consumer, before it gives its message back', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(500));
    house.faults.once('ledger.settle', 'crash-after');
    expect(await house.deliver()).toEqual({ how: 'killed' });
    expect(await house.row(task.id)).toMatchObject({ status: 'retrying' });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });
});

describe('send before the row is written', () => {
  // The queue is as fast as it can be: what is sent is delivered before the sender goes on.
  beforeEach(() => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    house.post.afterSend = async (letters) => {
      await house.deliver([...letters]);
    };
  });

  it('by the sweeper: the message it sends meets the row it wrote', async () => {
    const task = await waitingTask();
    await house.clock.moveTo(START + callbackTimeoutMs);
    await house.sweep();
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('by the callback: the message it sends meets the row it wrote', async () => {
    const task = await waitingTask();
    expect(await house.report(latestCall(task.id), failure)).toMatchObject({ ok: true, status: 'retrying' });
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('by the manual retry: the message it sends meets the row it wrote', async () => {
    const task = await failedTask();
    await house.retry(task.id);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });
});

describe('database down at claim, then down at the dead-letter consumer', () => {
  async function deliverThroughOutage(deliveries: number, deliver: () => Promise<unknown>) {
    house.faults.always('db', 'down');
    for (let count = 0; count < deliveries; count++) {
      const [letter] = house.post.waiting();
      if (letter === undefined) throw new Error(`the message is gone after ${count} deliveries`);
      await house.clock.moveTo(letter.visibleAt);
      await deliver();
    }
    house.faults.heal();
  }

  it('the consumer keeps the message through more than 100 deliveries', async () => {
    const task = await house.submit({ deadlineMs: 7 * DAY_MS });
    await deliverThroughOutage(110, () => house.deliver());
    expect(house.post.waiting('tasks')).toHaveLength(1);
    expect(house.post.waiting('dead')).toEqual([]);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
  });

  it('the dead-letter consumer keeps it as well, until the row is written', async () => {
    const task = await house.submit({ deadlineMs: 7 * DAY_MS });
    for (const letter of house.ready()) letter.attempts = 100;
    house.faults.always('queue.send', 'down');
    house.faults.always('db', 'down');
    await house.deliver();
    expect(house.post.waiting('dead')).toHaveLength(1);
    house.faults.heal();
    await deliverThroughOutage(110, () => house.deliverDead());
    expect(house.post.waiting('dead')).toHaveLength(1);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
  });

  it('a task whose deadline passed before anybody could record it expires', async () => {
    const task = await house.submit({ deadlineMs: 60_000 });
    for (const letter of house.ready()) letter.attempts = 100;
    house.faults.always('queue.send', 'down');
    house.faults.always('db', 'down');
    await house.deliver();
    house.faults.heal();
    await deliverThroughOutage(8, () => house.deliverDead());
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'expired', run: 0 });
    expect(house.backend.callsOf(task.id)).toEqual([]);
  });
});

describe('consumer dies on the last attempt', () => {
  it('the task fails at the end of the lease, without attempt max + 1', async () => {
    const task = await house.submit({ maxAttempts: 2 });
    house.backend.answer(task.id, status(500));
    await house.deliver();
    house.faults.once('backend', 'crash-after');
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'failed', run: 2, failures: 2 });
    expect(JSON.parse((await house.row(task.id)).error ?? '')).toMatchObject({ class: 'lost' });
    expect(house.backend.callsOf(task.id).map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  it('another service takes it over where the task names one, once, however many messages meet the lost run', async () => {
    const task = await house.submit({ maxAttempts: 1, request: { path: '/work', fallback: ['fetched'] } });
    house.faults.once('backend', 'crash-after');
    expect(await house.deliver()).toEqual({ how: 'killed' });
    for (const letter of house.post.waiting()) house.post.duplicate(letter, 0);
    await comeToRest(house);
    const row = await house.row(task.id);
    expect(row).toMatchObject({ status: 'succeeded', service: 'fetched', run: 2, failures: 1 });
    expect(house.backend.callsOf(task.id)).toHaveLength(2);
    const [lost] = JSON.parse(row.history) as unknown[];
    expect(lost).toMatchObject({ run: 1, outcome: 'failed', fallback: 'fetched', error: { class: 'lost' } });
  });

  it.each(['db.record', 'queue.send'] as const)('and so it does when %s fails, or its answer is lost', async (at) => {
    for (const fault of FAULTS) {
      const task = await house.submit({ maxAttempts: 1, request: { path: '/work', fallback: ['fetched'] } });
      house.faults.once('backend', 'crash-after');
      await house.deliver();
      house.faults.once(at, fault);
      await comeToRest(house);
      expect(await house.row(task.id), fault).toMatchObject({ status: 'succeeded', service: 'fetched', run: 2 });
    }
  });

  it('a neighbour in the batch is called all the same while nothing can be recorded, and once', async () => {
    const lost = await house.submit({ maxAttempts: 1, request: { path: '/work', fallback: ['fetched'] } });
    house.faults.once('backend', 'crash-after');
    await house.deliver();
    const { lease_until: leaseUntil } = await house.row(lost.id);
    await house.clock.moveTo(leaseUntil ?? 0);
    const neighbour = await house.submit();
    house.faults.always('db.record', 'down');
    await house.deliver();
    expect(house.backend.callsOf(neighbour.id)).toHaveLength(1);
    house.faults.heal();
    await comeToRest(house);
    expect(await house.row(neighbour.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(await house.row(lost.id)).toMatchObject({ status: 'succeeded', service: 'fetched' });
  });

  it('at once, with attempts left, where the task asks for that', async () => {
    const request = { path: '/work', fallback: ['fetched'], fallbackOn: ['lost' as const] };
    const task = await house.submit({ maxAttempts: 5, request });
    house.faults.once('backend', 'crash-after');
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', service: 'fetched', run: 2 });
  });

  it('the last service of the list has nobody after it: the task fails there', async () => {
    const task = await house.submit({ maxAttempts: 1, request: { path: '/work', fallback: ['fetched'] } });
    house.backend.answer(task.id, status(400));
    await house.deliver();
    house.faults.once('backend', 'crash-after');
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'failed', service: 'fetched', run: 2 });
  });
});

describe('`retrying` recorded, message redelivered at once', () => {
  it('the message waits for its time', async () => {
    const task = await house.submit({ baseSeconds: 60 });
    house.backend.answer(task.id, status(500, { 'retry-after': '40' }));
    house.faults.once('ledger.settle', 'crash-after');
    expect(await house.deliver()).toEqual({ how: 'killed' });
    const { next_at: nextAt } = await house.row(task.id);
    expect(nextAt).toBeGreaterThanOrEqual(START + 40_000);

    await house.deliver();
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
    expect(house.post.waiting().map(({ visibleAt }) => visibleAt)).toEqual([nextAt]);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
    expect(latestCall(task.id).startedAt).toBeGreaterThanOrEqual(nextAt ?? 0);
  });

  it('nor does a deferred task run before its time', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(429, { 'retry-after': '40' }));
    house.faults.once('ledger.settle', 'crash-after');
    expect(await house.deliver()).toEqual({ how: 'killed' });
    await house.deliver();
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
    await comeToRest(house);
    expect(latestCall(task.id).startedAt).toBeGreaterThanOrEqual(START + 40_000);
  });
});

describe('`waiting` recorded, ack lost', () => {
  it('the backend is not called while it works', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, accepted());
    house.faults.once('ledger.settle', 'crash-after');
    expect(await house.deliver()).toEqual({ how: 'killed' });
    await house.deliver();
    expect(house.post.waiting()).toEqual([]);
    expect(await house.report(latestCall(task.id), { status: 'succeeded' })).toMatchObject({ ok: true });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });
});

describe('the same task twice in one batch', () => {
  it('is claimed once, called once, and both messages share its disposition', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(500));
    house.post.duplicate(house.ready()[0]!);
    await house.deliver();
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
    const { next_at: nextAt } = await house.row(task.id);
    expect(house.post.waiting().every(({ visibleAt }) => visibleAt >= (nextAt ?? 0))).toBe(true);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
    expect(house.backend.callsOf(task.id)).toHaveLength(2);
  });
});

describe("accept's insert lands after the claim or the end", () => {
  it('after the claim: the run goes on', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, async (call) => {
      await house.callback('accept', ({ db }) => recordAccepted(db, [task], undefined));
      expect(await house.row(task.id)).toMatchObject({ status: 'running', run: 1 });
      return ok()(call);
    });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
  });

  it('after the end: it stays the end', async () => {
    const task = await house.submit();
    await house.deliver();
    await house.callback('accept', ({ db }) => recordAccepted(db, [task], Date.now()));
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1, due_at: null });
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });
});

describe('retention deletes a row while a duplicate is delayed in the queue', () => {
  it('a row stays as long as a message may run its task', async () => {
    const task = await house.submit({ deadlineMs: 7 * DAY_MS });
    const [letter] = house.ready();
    await house.deliver();
    await house.clock.moveTo(START + 7 * DAY_MS - HOUR_MS);
    await house.sweep();
    house.post.duplicate(letter!);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });

  it('a message that outlives even the row never runs and makes no row', async () => {
    const task = await house.submit({ deadlineMs: 7 * DAY_MS });
    const [letter] = house.ready();
    await house.deliver();
    await house.clock.moveTo(START + 31 * DAY_MS);
    await house.sweep();
    expect(await house.rows()).toEqual([]);
    house.post.duplicate(letter!);
    await comeToRest(house, { purged: new Set([task.id]) });
    expect(await house.rows()).toEqual([]);
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });

  it('a message past its deadline without a row is recorded as expired', async () => {
    const task = await house.submit({ deadlineMs: HOUR_MS });
    await house.clock.moveTo(START + HOUR_MS);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'expired', run: 0, service: 'bound' });
    expect(house.backend.calls).toEqual([]);
  });
});

describe('cancel before the row exists', () => {
  it('the claim honours the tombstone and fills it in', async () => {
    const task = await house.submit();
    expect(await house.cancel(task)).toEqual({ ok: true, status: 'cancelled', changed: true });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'cancelled', run: 0, service: 'bound' });
    expect(house.backend.calls).toEqual([]);
  });
});

describe('deferral takes an attempt number back, manual retry goes on counting', () => {
  it('a token of a deferred run does not speak for the next run', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(429), accepted());
    await house.deliver();
    const old = latestCall(task.id);
    await house.clock.moveTo(START + MINUTE_MS);
    await house.deliver();
    expect(latestCall(task.id)).toMatchObject({ run: 2, attempt: 1 });
    expect(await house.report(old, { ...failure, retryable: false })).toMatchObject({
      ok: false,
      code: 'stale-attempt',
    });
    expect(await house.report(old, { status: 'running' })).toMatchObject({ ok: false, code: 'stale-attempt' });
    expect(await house.row(task.id)).toMatchObject({ status: 'waiting', run: 2, deferrals: 1 });
    await house.report(latestCall(task.id), { status: 'succeeded' });
    await comeToRest(house);
  });

  it('a token from before a manual retry does not speak for the run after it', async () => {
    const task = await waitingTask({ maxAttempts: 1 });
    const old = latestCall(task.id);
    await house.clock.moveTo(START + callbackTimeoutMs);
    await house.sweep();
    expect(await house.row(task.id)).toMatchObject({ status: 'failed', run: 1 });
    house.backend.answer(task.id, accepted());
    await house.retry(task.id);
    await house.deliver();
    expect(latestCall(task.id)).toMatchObject({ run: 2, attempt: 2 });
    expect(await house.report(old, failure)).toMatchObject({ ok: false, code: 'stale-attempt' });
    expect(await house.row(task.id)).toMatchObject({ status: 'waiting', run: 2, attempts_offset: 1 });
    // A late success is another matter: whichever run brings it, the work is done.
    expect(await house.report(old, { status: 'succeeded' })).toMatchObject({ ok: true, status: 'succeeded' });
    await comeToRest(house);
  });
});

describe('dead letter of a task that is running elsewhere', () => {
  it('the live run goes on, through a sweep as well', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, async (call) => {
      house.post.put('dead', newTaskMessage(task));
      await house.deliverDead();
      await house.sweep();
      expect(await house.row(task.id)).toMatchObject({ status: 'running', run: 1 });
      return ok()(call);
    });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });

  it('a dead letter of a task without a row makes it due', async () => {
    const task = await house.submit();
    for (const letter of house.ready()) house.post.letters.delete(letter);
    house.post.put('dead', newTaskMessage(task));
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
  });
});

describe('settle throws and the handler returns normally', () => {
  it('the message is given back, and the task runs again after its lease, where no message takes the outcome', async () => {
    const task = await house.submit();
    house.faults.always('ledger.settle', 'down');
    house.faults.always('queue.send', 'down');
    expect(await house.deliver()).toEqual({ how: 'returned', value: undefined });
    expect(house.post.waiting()).toHaveLength(1);
    house.faults.heal();
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
    expect(latestCall(task.id).startedAt).toBeGreaterThanOrEqual(START + leaseMs);
  });

  it('a settle that took effect before it threw is not done twice', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(500));
    house.faults.once('ledger.settle', 'lost-answer');
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ status: 'retrying', run: 1, failures: 1 });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });
});

describe('claim commits, reports an error, is repeated', () => {
  it('the repeated claim gets the same answer, and the task is called', async () => {
    const task = await house.submit();
    house.faults.once('db.claim', 'lost-answer');
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
    await comeToRest(house);
  });
});

describe('progress or `Retry-After` beyond the deadline', () => {
  const deadlineMs = 400_000;

  async function endsAtItsDeadline(id: string) {
    await comeToRest(house);
    const row = await house.row(id);
    expect(row).toMatchObject({ status: 'expired' });
    expect(row.finished_at).toBeLessThanOrEqual(START + deadlineMs + MINUTE_MS);
  }

  it('progress', async () => {
    const task = await waitingTask({ deadlineMs });
    await house.clock.moveTo(START + 250_000);
    expect(await house.report(latestCall(task.id), { status: 'running', percent: 10 })).toMatchObject({ ok: true });
    expect((await house.row(task.id)).due_at).toBe(START + deadlineMs);
    await endsAtItsDeadline(task.id);
  });

  it('the time for the callback', async () => {
    const task = await waitingTask({ deadlineMs: 100_000 });
    expect((await house.row(task.id)).due_at).toBe(START + 100_000);
    await endsAtItsDeadline(task.id);
  });

  it('a deferral', async () => {
    const task = await house.submit({ deadlineMs });
    house.backend.answer(task.id, status(429, { 'retry-after': '7200' }));
    await endsAtItsDeadline(task.id);
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });

  it('a backoff', async () => {
    const task = await house.submit({ deadlineMs });
    house.backend.answer(task.id, status(500, { 'retry-after': '7200' }));
    await endsAtItsDeadline(task.id);
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });

  it('a call', async () => {
    const task = await house.submit({ deadlineMs: 10_000 });
    house.backend.answer(task.id, house.backend.silent());
    await endsAtItsDeadline(task.id);
    expect(latestCall(task.id)).toMatchObject({ ending: 'aborted', endedAt: START + 10_000 });
  });
});

describe('a call of a slow batch that would come too late', () => {
  const calls = (id: string) => house.backend.callsOf(id).map(({ run, attempt }) => [run, attempt]);

  async function submitMany(count: number, order: Order = {}): Promise<NewTask[]> {
    const tasks: NewTask[] = [];
    for (let index = 0; index < count; index++) tasks.push(await house.submit({ service: 'fetched', ...order }));
    return tasks;
  }

  it('is not made beside a second run, when the answer to the claim came after its lease', async () => {
    const tasks = await submitMany(2);
    for (const letter of house.ready()) house.post.duplicate(letter, leaseMs / 1000 + 1);
    house.backend.fallback = house.backend.after(20_000, ok());
    let late = 1;
    house.faults.latency = async (effect) => {
      if (effect === 'ledger.claim answer' && late-- > 0) await house.clock.sleep(70_000);
    };
    await comeToRest(house);
    for (const { id } of tasks) expect(calls(id)).toEqual([[2, 2]]);
  });

  it('is given back unattempted, when it could not end within its lease', async () => {
    const tasks = await submitMany(2, { maxAttempts: 1 });
    let late = 1;
    house.faults.latency = async (effect) => {
      if (effect === 'ledger.claim answer' && late-- > 0) await house.clock.sleep(40_000);
    };
    await comeToRest(house);
    for (const { id } of tasks) {
      expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 2, deferrals: 1 });
      expect(calls(id)).toEqual([[2, 1]]);
    }
  });

  it('waits for its turn as long as the calls before it may take, and runs within its lease', async () => {
    const tasks = await submitMany(13, { maxAttempts: 1 });
    house.backend.fallback = house.backend.after(29_000, ok());
    await comeToRest(house);
    for (const { id } of tasks) expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.calls.map(({ startedAt }) => (startedAt - START) / 1000)).toEqual([
      ...Array(6).fill(0),
      ...Array(6).fill(29),
      58,
    ]);
  });

  it('is given back as soon as its turn would come too late in the longest batch', async () => {
    house.services = servicesSchema(true).parse({ fetched: { baseUrl: 'http://backend.test', timeoutSeconds: 600 } });
    const tasks = await submitMany(7, { maxAttempts: 1 });
    house.backend.fallback = house.backend.after(500_000, ok());
    await comeToRest(house);
    const last = tasks.at(-1)!;
    const [record] = JSON.parse((await house.row(last.id)).history) as { endedAt: number }[];
    expect(record!.endedAt).toBeLessThan(START + 300_000);
    expect(calls(last.id)).toEqual([[2, 1]]);
    for (const { id } of tasks) expect(await house.row(id)).toMatchObject({ status: 'succeeded' });
  });
});

describe('a wake-up whose row a newer release wrote', () => {
  const rewrite = (id: string, request: string) =>
    env.DB.prepare('UPDATE tasks SET request = ?2 WHERE id = ?1').bind(id, request).run();

  it('is given back by itself, and no task of its batch loses an attempt', async () => {
    const newer = await house.mint({ service: 'fetched', maxAttempts: 1 });
    await house.callback('accept', ({ db }) => recordAccepted(db, [newer], Date.now()));
    const { request } = (await env.DB.prepare('SELECT request FROM tasks WHERE id = ?1').bind(newer.id).first<{
      request: string;
    }>())!;
    await rewrite(newer.id, '{"path":["of","another","kind"]}');
    await house.sweep();
    const mates = [await house.submit({ maxAttempts: 1 }), await house.submit({ maxAttempts: 1 })];
    await house.deliver();
    for (const { id } of mates) expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.callsOf(newer.id)).toEqual([]);
    house.writes += 1;
    expect(await house.row(newer.id)).toMatchObject({ status: 'deferred', deferrals: 1, failures: 0 });
    await rewrite(newer.id, request);
    house.writes += 1;
    await comeToRest(house);
    expect(house.backend.callsOf(newer.id).map(({ attempt }) => attempt)).toEqual([1]);
  });
});

describe('a time-out of 1.2345 s', () => {
  it('stands as 1.235 s behind the edge of the definition, and its batch runs', async () => {
    house.services = servicesSchema(true).parse({
      fetched: { baseUrl: 'http://backend.test', timeoutSeconds: 1.2345 },
      bound: { binding: 'BACKEND' },
    });
    const odd = await house.submit({ service: 'fetched' });
    const mate = await house.submit();
    await house.deliver();
    for (const { id } of [odd, mate]) expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 1 });
  });

  it('of another release that does not round costs its own claim, and no other', async () => {
    const [odd, mate] = await Promise.all([house.mint(), house.mint()]);
    const claimOf = ({ id, request, ...task }: NewTask, leaseMs: number) => ({
      id,
      leaseMs,
      task: { ...task, ...requestColumns(request) },
    });
    const answers = await house.ledger((session) =>
      session.claim({ nonce: crypto.randomUUID(), claims: [claimOf(odd, 1_234.5), claimOf(mate, 61_000)] }),
    );
    expect(answers).toMatchObject([{ id: mate.id, granted: true }]);
  });
});

describe('the registry answers after its caller gave up', () => {
  const LIMIT = 5;
  /** Its answers take longer than a batch waits for them. */
  const LATE_MS = 4_500;

  it('never more calls run than the limit lets, and no place stays taken', async () => {
    const limited = { fetched: { baseUrl: 'http://backend.test', maxConcurrency: LIMIT } };
    house.services = servicesSchema(true).parse(limited);
    const tasks: NewTask[] = [];
    for (let count = 0; count < 20; count++) tasks.push(await house.submit({ service: 'fetched' }));
    house.backend.fallback = house.backend.after(1_000, ok());
    let late = 3;
    house.faults.latency = async (effect) => {
      if (effect === 'registry.route answer' && late-- > 0) await house.clock.sleep(LATE_MS);
    };
    await comeToRest(house);
    for (const { id } of tasks) expect(await house.row(id)).toMatchObject({ status: 'succeeded', failures: 0 });
    expect(house.backend.mostAtOnce).toBe(LIMIT);
    // No place was held by nobody until the leases ended.
    const last = Math.max(...house.backend.calls.map(({ startedAt }) => startedAt));
    expect(last).toBeLessThan(START + 30_000);
    expect(house.registry.leases.size).toBe(0);
  });
});

describe('a key lease repeated after a lost answer', () => {
  it('is the same lease: no call is counted twice, and all are given back', async () => {
    house.services = servicesSchema(true).parse({
      keyed: { baseUrl: 'http://backend.test', keyPool: 'default', keyLimits: { concurrency: 4 } },
    });
    const tasks: NewTask[] = [];
    for (let round = 0; round < 3; round++) {
      for (let count = 0; count < 8; count++) tasks.push(await house.submit({ service: 'keyed' }));
      house.faults.once('keys.lease', 'lost-answer');
      await comeToRest(house);
    }
    for (const { id } of tasks) expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect((await house.keys()).map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });
});

describe('a reset time years away', () => {
  const YEARS = String(20 * 365 * 86_400);
  const used = { 'x-ratelimit-limit-requests': '9', 'x-ratelimit-remaining-requests': '0' };

  it('closes a key for a day at most, and it says so', async () => {
    const task = await house.submit({ service: 'keyed' });
    const answer = status(429, { 'retry-after': YEARS });
    house.backend.answer(task.id, answer, answer);
    await house.deliver();
    for (const key of await house.keys()) expect(key).toMatchObject({ state: 'cooling', until: START + DAY_MS });
  });

  it('beside an answer keeps nobody from the key after a day', async () => {
    const task = await house.submit({ service: 'keyed', deadlineMs: 4 * DAY_MS });
    const answer = status(429, { ...used, 'x-ratelimit-reset-requests': `${YEARS}s` });
    house.backend.answer(task.id, answer, answer);
    await comeToRest(house);
    const row = await house.row(task.id);
    expect(row.status).toBe('succeeded');
    expect(row.finished_at).toBeLessThanOrEqual(START + 1.1 * DAY_MS);
    // A day in steps takes a busy machine a while.
  }, 60_000);
});

describe('60,000 parked tasks fall due', () => {
  async function flood(count: number, deadline: string, value: number): Promise<void> {
    await env.DB.prepare(
      `INSERT INTO tasks (id, subject, service, status, run, deferrals, max_attempts, base_seconds, cap_seconds,
         deadline_at, next_at, due_at, reason, parked_for)
       WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?1)
       SELECT 'tsk_' || printf('%032d', number), 'alice', 'flooded', 'deferred', 1, 1, 8, 2, 60, ${deadline}, ?2, ?2,
         'no-key', 'pool:flooded'
       FROM numbers`,
    )
      .bind(count, value)
      .run();
  }

  /** Without the thousands beside it. */
  function rowOf({ id }: NewTask): Promise<Record<string, unknown> | null> {
    return env.DB.prepare('SELECT status, failures, sends FROM tasks WHERE id = ?1').bind(id).first();
  }

  beforeEach(() => {
    house.watching = false;
  });

  it("and another service's overdue callback is handled in its own minute", async () => {
    const task = await waitingTask();
    await flood(60_000, '?2 + 3600000', START);
    await house.clock.moveTo(START + callbackTimeoutMs);
    await house.sweep();
    expect(await rowOf(task)).toMatchObject({ status: 'retrying', failures: 1 });
  });

  it('at their deadline, and so are a callback and a wake-up that was never sent', async () => {
    const task = await waitingTask();
    const unsent = await house.mint();
    await house.callback('accept', ({ db }) => recordAccepted(db, [unsent], START + 1));
    await flood(6_000, '?2', START);
    await house.clock.moveTo(START + callbackTimeoutMs);
    const { value } = (await house.sweep()) as { value: { ended: number } };
    expect(value.ended).toBe(5_000);
    expect(await rowOf(task)).toMatchObject({ status: 'retrying', failures: 1 });
    expect(await rowOf(unsent)).toMatchObject({ status: 'queued', sends: 1 });
  });
});
