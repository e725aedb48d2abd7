import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewTask } from '../../../shared/message/task-message.ts';
import { servicesSchema } from '../../../shared/service/definition.ts';
import { ok, refused, status } from '../backend.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, START } from '../clock.ts';
import { House } from '../house.ts';
import { comeToRest } from '../rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

describe('R2 the row decides: the lease is looked at before the deadline', () => {
  it('a success that is being recorded at the deadline counts', async () => {
    const task = await house.submit({ deadlineMs: 10_000 });
    house.backend.answer(task.id, house.backend.after(9_000, ok()));
    house.faults.latency = async (effect) => {
      if (effect === 'ledger.settle') await house.clock.sleep(5_000);
    };
    house.post.duplicate(house.ready()[0]!, 12);
    house.plan(START + 2_000, async () => {
      // Its second delivery: at the first it only waits.
      house.post.put('dead', house.post.sent[0]?.body).attempts = 1;
    });
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

describe('R14 calls respect the lease', () => {
  it('a call that never ends is aborted within it, and the task tried again', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, house.backend.silent());
    // Without the abort nothing ends: this shows it in seconds.
    house.clock.maxJumps = 1_000;
    await comeToRest(house);
    expect(house.backend.callsOf(task.id).map(({ ending }) => ending)).toEqual(['aborted', 200]);
    expect(house.backend.callsOf(task.id)[0]?.endedAt).toBe(START + 30_000);
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
    expect(house.registry.services.get('fetched')?.running.size).toBe(0);
  });

  it('what a crashed batch held ends with its lease', async () => {
    const tasks = await submitLimited(LIMIT);
    house.faults.once('backend', 'crash-after', LIMIT);
    await house.deliver();
    expect(house.registry.services.get('fetched')?.running.size).toBe(LIMIT);
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
