/**
 * Whatever asks for more time, a task ends at its deadline. A row of the table in `docs/protocol.md`.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { status } from '../backend.ts';
import { MINUTE_MS, START } from '../clock.ts';
import { House } from '../house.ts';
import { comeToRest } from '../rest.ts';
import { latestCall, waitingTask } from '../staged-task.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

describe('progress or `Retry-After` beyond the deadline', () => {
  const deadlineMs = 400_000;

  async function endsAtItsDeadline(id: string) {
    await comeToRest(house);
    const row = await house.row(id);
    expect(row).toMatchObject({ status: 'expired' });
    expect(row.finished_at).toBeLessThanOrEqual(START + deadlineMs + MINUTE_MS);
  }

  it('progress', async () => {
    const task = await waitingTask(house, { deadlineMs });
    await house.clock.moveTo(START + 250_000);
    expect(await house.report(latestCall(house, task.id), { status: 'running', percent: 10 })).toMatchObject({
      ok: true,
    });
    expect((await house.row(task.id)).due_at).toBe(START + deadlineMs);
    await endsAtItsDeadline(task.id);
  });

  it('the time for the callback', async () => {
    const task = await waitingTask(house, { deadlineMs: 100_000 });
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
    expect(latestCall(house, task.id)).toMatchObject({ ending: 'aborted', endedAt: START + 10_000 });
  });
});
