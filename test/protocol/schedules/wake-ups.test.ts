/**
 * Whoever wakes a task without holding its message: the sweeper, a callback, a manual retry. Rows of the table in
 * `docs/protocol.md`, in which a crash, the order of two writes or a flood left tasks without a wake-up.
 */
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { NewTask } from '../../../shared/message/task-message.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { status } from '../backend.ts';
import { MINUTE_MS, START } from '../clock.ts';
import { House } from '../house.ts';
import { comeToRest } from '../rest.ts';
import { CALLBACK_TIMEOUT_MS, FAILURE, failedTask, latestCall, waitingTask } from '../staged-task.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

describe('crash after the row says `retrying`, before the send', () => {
  it('of the sweeper, after a callback did not come', async () => {
    const task = await waitingTask(house);
    await house.clock.moveTo(START + CALLBACK_TIMEOUT_MS);
    house.faults.once('queue.send', 'crash-before');
    expect(await house.sweep()).toEqual({ kind: 'killed' });
    expect(await house.row(task.id)).toMatchObject({ status: 'retrying' });
    expect(house.post.waiting()).toEqual([]);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('of the callback that reported a failure', async () => {
    const task = await waitingTask(house);
    house.faults.once('queue.send', 'crash-before');
    expect(await house.report(latestCall(house, task.id), FAILURE)).toBeUndefined();
    expect(await house.row(task.id)).toMatchObject({ status: 'retrying' });
    expect(house.post.waiting()).toEqual([]);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('of the manual retry', async () => {
    const task = await failedTask(house);
    house.faults.once('queue.send', 'crash-before');
    expect(await house.retry(task.id)).toBeUndefined();
    expect(await house.row(task.id)).toMatchObject({ status: 'queued' });
    expect(house.post.waiting()).toEqual([]);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('of the sweeper that wakes the task again', async () => {
    const task = await failedTask(house);
    house.faults.once('queue.send', 'crash-before');
    await house.retry(task.id);
    await house.clock.moveTo(START + 2 * MINUTE_MS);
    house.faults.once('queue.send', 'crash-before');
    expect(await house.sweep()).toEqual({ kind: 'killed' });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('of the consumer, before it gives its message back', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(500));
    house.faults.once('ledger.settle', 'crash-after');
    expect(await house.deliver()).toEqual({ kind: 'killed' });
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
    const task = await waitingTask(house);
    await house.clock.moveTo(START + CALLBACK_TIMEOUT_MS);
    await house.sweep();
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('by the callback: the message it sends meets the row it wrote', async () => {
    const task = await waitingTask(house);
    expect(await house.report(latestCall(house, task.id), FAILURE)).toMatchObject({ ok: true, status: 'retrying' });
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('by the manual retry: the message it sends meets the row it wrote', async () => {
    const task = await failedTask(house);
    await house.retry(task.id);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });
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
    const task = await waitingTask(house);
    await flood(60_000, '?2 + 3600000', START);
    await house.clock.moveTo(START + CALLBACK_TIMEOUT_MS);
    await house.sweep();
    expect(await rowOf(task)).toMatchObject({ status: 'retrying', failures: 1 });
  });

  it('and end when their deadline has passed, though their fallback was due before it', async () => {
    await flood(1_000, '?2 + 90000', START);
    await house.clock.moveTo(START + 2 * MINUTE_MS);
    await house.sweep();
    await house.clock.moveTo(START + 3 * MINUTE_MS);
    await house.sweep();
    const open = await env.DB.prepare('SELECT count(*) AS count FROM tasks WHERE finished_at IS NULL').first('count');
    expect(open).toBe(0);
  });

  it('and end behind others that have more time, in one of several lines', async () => {
    await flood(1_000, '?2 + 90000', START);
    // Six lines: the heads of four of them have all the time there is.
    await env.DB.prepare(
      `UPDATE tasks SET parked_for = parked_for || '-' || (substr(id, 5) % 6), place = substr(id, 5) + 0,
         deadline_at = deadline_at + iif(substr(id, 5) + 0 <= 4, 86400000, 0)`,
    ).run();
    await house.clock.moveTo(START + 2 * MINUTE_MS);
    for (let minute = 3; minute < 6; minute++) {
      await house.clock.moveTo(START + minute * MINUTE_MS);
      await house.sweep();
    }
    const open = await env.DB.prepare('SELECT count(*) AS count FROM tasks WHERE finished_at IS NULL').first('count');
    expect(open).toBe(4);
  });

  it('at their deadline, and so are a callback and a wake-up that was never sent', async () => {
    const task = await waitingTask(house);
    const unsent = await house.mint();
    await house.callback('accept', ({ db }) => recordAccepted(db, [unsent], START + 1));
    await flood(6_000, '?2', START);
    await house.clock.moveTo(START + CALLBACK_TIMEOUT_MS);
    const { value } = (await house.sweep()) as { value: { ended: number } };
    expect(value.ended).toBe(5_000);
    expect(await rowOf(task)).toMatchObject({ status: 'retrying', failures: 1 });
    expect(await rowOf(unsent)).toMatchObject({ status: 'queued', sends: 1 });
  });
});
