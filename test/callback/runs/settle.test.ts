import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AttemptRecord } from '../../../shared/task/attempt.ts';
import { accepted, ok, status } from '../../protocol/backend.ts';
import { MINUTE_MS, START } from '../../protocol/clock.ts';
import { House } from '../../protocol/house.ts';
import { comeToRest } from '../../protocol/rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

async function historyOf(id: string): Promise<AttemptRecord[]> {
  return JSON.parse((await house.row(id)).history);
}

describe('what is kept of a task', () => {
  it('a first try that succeeds leaves its result, and where it ran', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, ok({ pages: 3 }));
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ failures: 0, error: null, result: '{"pages":3}' });
    expect(await historyOf(task.id)).toEqual([
      {
        run: 1,
        attempt: 1,
        outcome: 'succeeded',
        startedAt: START,
        endedAt: START,
        server: 'BACKEND',
        httpStatus: 200,
      },
    ]);
  });

  it('failed attempts and deferrals, with the delay that was chosen and why', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(500), status(429, { 'retry-after': '30' }));
    await comeToRest(house);
    expect(await historyOf(task.id)).toEqual([
      {
        run: 1,
        attempt: 1,
        outcome: 'failed',
        startedAt: START,
        endedAt: START,
        server: 'BACKEND',
        httpStatus: 500,
        error: { class: 'http', httpStatus: 500, message: 'The backend answered 500: status 500' },
        nextAt: expect.any(Number),
        delayMs: expect.any(Number),
        delayReason: 'backoff',
      },
      expect.objectContaining({
        run: 2,
        attempt: 2,
        outcome: 'deferred',
        reason: 'rate-limited',
        delayReason: 'in line',
      }),
      expect.objectContaining({ run: 3, outcome: 'succeeded', httpStatus: 200 }),
    ]);
    expect(await house.row(task.id)).toMatchObject({
      status: 'succeeded',
      run: 3,
      failures: 1,
      deferrals: 1,
      error: null,
    });
  });

  it('the latest fifty of them, and the count of all', async () => {
    const task = await house.submit({ maxAttempts: 100, baseSeconds: 0 });
    house.backend.answer(task.id, ...Array.from({ length: 60 }, () => status(500)));
    await comeToRest(house);
    expect((await historyOf(task.id)).map(({ run }) => run)).toEqual(
      Array.from({ length: 50 }, (_, index) => index + 12),
    );
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 61, failures: 60 });
  });

  it('a run whose consumer died, and a callback that did not come', async () => {
    const task = await house.submit({ maxAttempts: 3 });
    house.faults.once('backend', 'crash-after');
    await house.deliver();
    house.backend.answer(task.id, accepted());
    await comeToRest(house);
    expect((await historyOf(task.id)).map(({ run, outcome, error }) => [run, error?.class ?? outcome])).toEqual([
      [1, 'lost'],
      [2, 'accepted'],
      [2, 'callback-timeout'],
      [3, 'succeeded'],
    ]);
  });

  it('a last attempt without a next time', async () => {
    const task = await house.submit({ maxAttempts: 1 });
    house.backend.answer(task.id, status(500));
    await house.deliver();
    const records = await historyOf(task.id);
    expect(records).toMatchObject([{ run: 1, outcome: 'failed' }]);
    expect(records[0]).not.toHaveProperty('nextAt');
    expect(records[0]).not.toHaveProperty('delayMs');
  });

  it('no delay below nothing when the deadline passed on the way', async () => {
    const task = await house.submit({ deadlineMs: 10_000 });
    house.backend.answer(task.id, house.backend.after(9_000, status(500)));
    house.faults.latency = async (effect) => {
      if (effect === 'ledger.settle') await house.clock.sleep(5_000);
    };
    await comeToRest(house);
    const [failed] = await historyOf(task.id);
    expect(failed).toMatchObject({ run: 1, delayMs: expect.any(Number) });
    expect(failed?.delayMs).toBeGreaterThanOrEqual(0);
    expect(await house.row(task.id)).toMatchObject({ status: 'expired' });
  });
});

describe('micro-batches', () => {
  it('a fast task beside a slow one is finished while the slow one still runs', async () => {
    const fast = await house.submit();
    const slow = await house.submit();
    house.backend.answer(slow.id, house.backend.after(25_000, ok()));
    house.plan(START + 1_000, async () => {
      expect(await house.row(fast.id)).toMatchObject({ status: 'succeeded' });
      expect(await house.row(slow.id)).toMatchObject({ status: 'running' });
    });
    await comeToRest(house);
    expect((await house.row(fast.id)).finished_at).toBe(START);
    expect((await house.row(slow.id)).finished_at).toBe(START + 25_000);
  });

  it('a failure of one write leaves the outcomes of the next ones alone', async () => {
    const tasks = [await house.submit(), await house.submit(), await house.submit()];
    for (const [index, { id }] of tasks.entries()) house.backend.answer(id, house.backend.after(index * 5_000, ok()));
    house.faults.once('db.record', 'down');
    house.faults.once('ledger.settle', 'lost-answer', 3);
    await comeToRest(house);
    expect((await house.rows()).map(({ status: state, run }) => [state, run])).toEqual(Array(3).fill(['succeeded', 1]));
    expect(house.clock.now).toBeLessThan(START + MINUTE_MS);
  });
});

describe('an outcome that the database refuses', () => {
  afterEach(() => env.DB.prepare('DROP TRIGGER IF EXISTS refuses_poison').run());

  it('ends its task with the reason, and costs no other task of the batch anything', async () => {
    await env.DB.prepare(
      `CREATE TRIGGER refuses_poison BEFORE UPDATE ON tasks WHEN NEW.result LIKE '%poison%'
        BEGIN SELECT RAISE(ABORT, 'string or blob too big'); END`,
    ).run();
    const tasks = await Promise.all(Array.from({ length: 5 }, () => house.submit()));
    const culprit = tasks[2]!;
    house.backend.answer(culprit.id, ok('poison'));
    await house.deliver();
    for (const { id } of tasks) {
      const row = await house.row(id);
      if (id === culprit.id) {
        expect(row).toMatchObject({ status: 'failed', run: 1, result: null });
        expect(JSON.parse(row.error ?? '{}')).toMatchObject({ class: 'unstorable' });
      } else {
        expect(row).toMatchObject({ status: 'succeeded', run: 1 });
      }
      expect(house.backend.callsOf(id)).toHaveLength(1);
    }
    expect(house.refusals.splice(0).join()).toContain('too big');
  });
});
