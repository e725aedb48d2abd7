/**
 * How often a task runs, and when a run may begin. Rows of the table in `docs/protocol.md`.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewTask } from '../../../shared/message/task-message.ts';
import { servicesSchema } from '../../../shared/service/definition.ts';
import { accepted, ok, status } from '../backend.ts';
import { MINUTE_MS, START } from '../clock.ts';
import { FAULTS } from '../faults.ts';
import { House } from '../house.ts';
import type { Order } from '../order.ts';
import { comeToRest } from '../rest.ts';
import { CALLBACK_TIMEOUT_MS, FAILURE, LEASE_MS, latestCall, waitingTask } from '../staged-task.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

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
    expect(await house.deliver()).toEqual({ kind: 'killed' });
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

describe('deferral takes an attempt number back, manual retry goes on counting', () => {
  it('a token of a deferred run does not speak for the next run', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(429), accepted());
    await house.deliver();
    const old = latestCall(house, task.id);
    await house.clock.moveTo(START + MINUTE_MS);
    await house.deliver();
    expect(latestCall(house, task.id)).toMatchObject({ run: 2, attempt: 1 });
    expect(await house.report(old, { ...FAILURE, retryable: false })).toMatchObject({
      ok: false,
      code: 'stale-attempt',
    });
    expect(await house.report(old, { status: 'running' })).toMatchObject({ ok: false, code: 'stale-attempt' });
    expect(await house.row(task.id)).toMatchObject({ status: 'waiting', run: 2, deferrals: 1 });
    await house.report(latestCall(house, task.id), { status: 'succeeded' });
    await comeToRest(house);
  });

  it('a token from before a manual retry does not speak for the run after it', async () => {
    const task = await waitingTask(house, { maxAttempts: 1 });
    const old = latestCall(house, task.id);
    await house.clock.moveTo(START + CALLBACK_TIMEOUT_MS);
    await house.sweep();
    expect(await house.row(task.id)).toMatchObject({ status: 'failed', run: 1 });
    house.backend.answer(task.id, accepted());
    await house.retry(task.id);
    await house.deliver();
    expect(latestCall(house, task.id)).toMatchObject({ run: 2, attempt: 2 });
    expect(await house.report(old, FAILURE)).toMatchObject({ ok: false, code: 'stale-attempt' });
    expect(await house.row(task.id)).toMatchObject({ status: 'waiting', run: 2, attempts_offset: 1 });
    // A late success is another matter: whichever run brings it, the work is done.
    expect(await house.report(old, { status: 'succeeded' })).toMatchObject({ ok: true, status: 'succeeded' });
    await comeToRest(house);
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

describe('a call of a slow batch that would come too late', () => {
  const calls = (id: string) => house.backend.callsOf(id).map(({ run, attempt }) => [run, attempt]);

  async function submitMany(count: number, order: Order = {}): Promise<NewTask[]> {
    const tasks: NewTask[] = [];
    for (let index = 0; index < count; index++) tasks.push(await house.submit({ service: 'fetched', ...order }));
    return tasks;
  }

  it('is not made beside a second run, when the answer to the claim came after its lease', async () => {
    const tasks = await submitMany(2);
    for (const letter of house.ready()) house.post.duplicate(letter, LEASE_MS / 1000 + 1);
    house.backend.fallback = house.backend.after(20_000, ok());
    let late = 1;
    house.faults.latency = async (effect) => {
      if (effect === 'ledger.claim answer' && late-- > 0) await house.clock.sleep(70_000);
    };
    await comeToRest(house);
    for (const { id } of tasks) expect(calls(id)).toEqual([[2, 2]]);
  });

  it.each(['limited', 'keyed'])('asks for no room at %s then, and is given back at once', async (service) => {
    house.services = servicesSchema(true).parse({
      limited: { baseUrl: 'http://backend.test', maxConcurrency: 1 },
      keyed: { baseUrl: 'http://backend.test', keyPool: 'default' },
    });
    const [task] = await submitMany(1, { service });
    const asks: string[] = [];
    let late = 1;
    house.faults.latency = async (effect) => {
      if (effect === 'registry.route' || effect === 'keys.lease') asks.push(effect);
      if (effect === 'ledger.claim answer' && late-- > 0) await house.clock.sleep(70_000);
    };
    await house.deliver();
    expect(asks).toEqual([]);
    expect(house.clock.now).toBeLessThan(START + 75_000);
    await comeToRest(house);
    expect(await house.row(task!.id)).toMatchObject({ status: 'succeeded' });
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
