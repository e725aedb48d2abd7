import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { recoverAfterRestart } from '../../../shared/store/recovery.ts';
import { accepted, ok, status } from '../backend.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, START } from '../clock.ts';
import { House } from '../house.ts';
import { comeToRest } from '../rest.ts';
import { FAILURE, latestCall, SUCCESS } from '../staged-task.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

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
    await house.report(latestCall(house, task.id), FAILURE);
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
      kind: 'returned',
      value: 4,
    });
    await house.report(latestCall(house, waiting.id), SUCCESS);
    await comeToRest(house);
    for (const { id } of [untouched, retrying, deferred, waiting, running]) {
      expect(await house.row(id)).toMatchObject({ status: 'succeeded' });
    }
    expect(latestCall(house, retrying.id).startedAt).toBeGreaterThanOrEqual(START + 600_000);
    // Nobody is left to hold the lease, so the first sweep brings the task back.
    expect(latestCall(house, running.id).startedAt).toBe(START + MINUTE_MS);
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

describe('R15 promptness', () => {
  it('a short delay beside a long call is over when it is over, not when the call ends', async () => {
    const quick = await house.submit();
    const slow = await house.submit();
    house.backend.answer(quick.id, status(500, { 'retry-after': '5' }));
    house.backend.answer(slow.id, house.backend.after(25_000, ok()));
    await comeToRest(house);
    expect(house.backend.callsOf(quick.id)).toHaveLength(2);
    expect(latestCall(house, quick.id).startedAt).toBeLessThan(latestCall(house, slow.id).endedAt ?? 0);
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
    // Longer than a service is left alone for: the task comes back by its own message, and stands in no line.
    const later = status(429, { 'retry-after': '700' });
    house.backend.answer(task.id, later, later, later);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 4 });
    expect(house.post.sent.filter(({ queue }) => queue === 'dead')).toEqual([]);
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
