/**
 * Who writes a row, and how long it stays. Rows of the table in `docs/protocol.md`.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { ok } from '../backend.ts';
import { DAY_MS, HOUR_MS, START } from '../clock.ts';
import { House } from '../house.ts';
import { comeToRest } from '../rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

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
