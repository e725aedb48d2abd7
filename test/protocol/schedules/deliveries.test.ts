/**
 * What is delivered again, early, twice or to the dead letters. Rows of the table in `docs/protocol.md`.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newTaskMessage } from '../../../shared/message/task-message.ts';
import { accepted, ok, status } from '../backend.ts';
import { DAY_MS, START } from '../clock.ts';
import { House } from '../house.ts';
import { comeToRest } from '../rest.ts';
import { LEASE_MS, latestCall } from '../staged-task.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

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

describe('`retrying` recorded, message redelivered at once', () => {
  it('the message waits for its time', async () => {
    const task = await house.submit({ baseSeconds: 60 });
    house.backend.answer(task.id, status(500, { 'retry-after': '40' }));
    house.faults.once('ledger.settle', 'crash-after');
    expect(await house.deliver()).toEqual({ kind: 'killed' });
    const { next_at: nextAt } = await house.row(task.id);
    expect(nextAt).toBeGreaterThanOrEqual(START + 40_000);

    await house.deliver();
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
    expect(house.post.waiting().map(({ visibleAt }) => visibleAt)).toEqual([nextAt]);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
    expect(latestCall(house, task.id).startedAt).toBeGreaterThanOrEqual(nextAt ?? 0);
  });

  it('nor does a deferred task run before its time', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(429, { 'retry-after': '40' }));
    house.faults.once('ledger.settle', 'crash-after');
    expect(await house.deliver()).toEqual({ kind: 'killed' });
    await house.deliver();
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
    await comeToRest(house);
    expect(latestCall(house, task.id).startedAt).toBeGreaterThanOrEqual(START + 40_000);
  });
});

describe('`waiting` recorded, ack lost', () => {
  it('the backend is not called while it works', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, accepted());
    house.faults.once('ledger.settle', 'crash-after');
    expect(await house.deliver()).toEqual({ kind: 'killed' });
    await house.deliver();
    expect(house.post.waiting()).toEqual([]);
    expect(await house.report(latestCall(house, task.id), { status: 'succeeded' })).toMatchObject({ ok: true });
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

describe('a claim is asked once more, and lands when its message has gone to the dead letters', () => {
  it('the task stays due, and runs when the lease is over', async () => {
    const task = await house.submit();
    for (const letter of house.ready()) letter.attempts = 100;
    house.faults.once('ledger.claim', 'late');
    house.faults.once('ledger.settle', 'crash-before');
    expect(await house.deliver()).toEqual({ kind: 'killed' });
    // It comes again at once.
    for (const letter of house.ready('dead')) letter.attempts = 1;
    await house.deliverDead();
    await comeToRest(house);
    expect(house.log.join()).toContain('late: ledger.claim');
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('the task stays due, too, where the claim had never landed before', async () => {
    const task = await house.submit();
    for (const letter of house.ready()) letter.attempts = 100;
    house.faults.once('ledger.claim', 'late');
    house.faults.once('ledger.claim', 'crash-before', 2);
    expect(await house.deliver()).toEqual({ kind: 'killed' });
    await house.deliverDead();
    await comeToRest(house);
    expect(house.log.join()).toContain('late: ledger.claim');
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });
});

describe('dead letter of a task that is running elsewhere', () => {
  it('the live run goes on, through a sweep as well', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, async (call) => {
      // Its second delivery: at the first it only waits.
      house.post.put('dead', newTaskMessage(task)).attempts = 1;
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
    expect(await house.deliver()).toEqual({ kind: 'returned', value: undefined });
    expect(house.post.waiting()).toHaveLength(1);
    house.faults.heal();
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
    expect(latestCall(house, task.id).startedAt).toBeGreaterThanOrEqual(START + LEASE_MS);
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
