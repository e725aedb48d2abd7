import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { forgetOld } from '../../../callback/sweep/retention.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { smallestTaskIdAt } from '../../../shared/task/id.ts';
import { status } from '../../protocol/backend.ts';
import { DAY_MS, HOUR_MS, START } from '../../protocol/clock.ts';
import { House } from '../../protocol/house.ts';
import { comeToRest } from '../../protocol/rest.ts';

const SETTINGS = { retentionMs: 30 * DAY_MS, bodyRetentionMs: 3 * DAY_MS };

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

describe('rows (rule R6)', () => {
  it('deletes ended tasks that are old enough, and no others', async () => {
    const old = await house.submit();
    await house.deliver();
    await house.clock.moveTo(START + DAY_MS);
    const younger = await house.submit();
    await house.deliver();
    await house.clock.moveTo(START + 30 * DAY_MS + 1);
    expect(await house.sweep()).toMatchObject({ value: { deleted: 1 } });
    expect((await house.rows()).map(({ id }) => id)).toEqual([younger.id]);
    expect((await house.rows()).map(({ id }) => id)).not.toContain(old.id);
  });

  it('keeps a task that was run again by hand for its full time', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(400));
    await house.deliver();
    await house.clock.moveTo(START + 20 * DAY_MS);
    await house.retry(task.id);
    await house.deliver();
    await house.clock.moveTo(START + 31 * DAY_MS);
    expect(await house.sweep()).toMatchObject({ value: { deleted: 0 } });
    await house.clock.moveTo(START + 51 * DAY_MS);
    expect(await house.sweep()).toMatchObject({ value: { deleted: 1 } });
  });
});

describe('bodies', () => {
  it('go when their time is over, and the row says since when', async () => {
    const task = await house.submit({
      request: { body: { type: 'text/plain', encoding: 'text', text: 'secret plans' } },
    });
    house.backend.answer(task.id, status(503));
    await comeToRest(house);
    const ended = await house.row(task.id);
    expect(ended).toMatchObject({ status: 'succeeded', bodies_deleted_at: null });
    expect(JSON.parse(ended?.history ?? '')).toHaveLength(2);

    const finishedAt = ended?.finished_at ?? 0;
    await house.clock.moveTo(finishedAt + 3 * DAY_MS);
    expect(await house.sweep()).toMatchObject({ value: { bodiesDeleted: 0 } });
    await house.clock.moveTo(finishedAt + 3 * DAY_MS + HOUR_MS);
    expect(await house.sweep()).toMatchObject({ value: { bodiesDeleted: 1, deleted: 0 } });
    expect(await house.row(task.id)).toMatchObject({
      status: 'succeeded',
      request: null,
      request_body: null,
      result: null,
      history: '[]',
      bodies_deleted_at: Date.now(),
    });
    expect(await house.sweep()).toMatchObject({ value: { bodiesDeleted: 0 } });
  });

  it('of a task that took a day are found after the others have gone', async () => {
    const slow = await house.submit({ deadlineMs: 7 * DAY_MS });
    house.backend.answer(slow.id, status(429, { 'retry-after': String(2 * 86_400) }));
    await house.deliver();
    await comeToRest(house);
    const finishedAt = (await house.row(slow.id))?.finished_at ?? 0;
    expect(finishedAt).toBeGreaterThan(START + DAY_MS - HOUR_MS);
    // The walk that follows the clock has been past it by now.
    await house.clock.moveTo(START + 3.5 * DAY_MS);
    expect(await house.sweep()).toMatchObject({ value: { bodiesDeleted: 0 } });
    await house.clock.moveTo(finishedAt + 3 * DAY_MS + 1);
    expect(await house.sweep()).toMatchObject({ value: { bodiesDeleted: 1 } });
  });

  it('of an open task stay, however old it is', async () => {
    const task = await house.submit({ deadlineMs: 7 * DAY_MS });
    await house.clock.moveTo(START + 6 * DAY_MS);
    await house.callback('accept', ({ db }) => recordAccepted(db, [task], undefined));
    expect(await house.sweep()).toMatchObject({ value: { bodiesDeleted: 0 } });
    expect(await house.row(task.id)).toMatchObject({ status: 'queued', bodies_deleted_at: null });
    await comeToRest(house);
  });

  it('that are gone cannot be run again, and the refusal says why', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(400));
    await house.deliver();
    await house.clock.moveTo(START + 4 * DAY_MS);
    await house.sweep();
    expect(await house.retry(task.id)).toMatchObject({
      ok: false,
      code: 'not-retryable',
      detail: expect.stringContaining('BODY_RETENTION_DAYS'),
    });
    expect(await house.row(task.id)).toMatchObject({ status: 'failed' });
  });

  it('are never deleted under a task that is retried at the same time', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(400));
    await house.deliver();
    await house.clock.moveTo(START + 4 * DAY_MS);
    // Between the retry's look at the row and its write.
    house.faults.latency = async (effect) => {
      if (effect !== 'db.record') return;
      house.faults.latency = undefined;
      await house.clock.outside(forgetOld(env.DB, SETTINGS, Date.now()));
    };
    const retried = await house.retry(task.id);
    expect(retried).toMatchObject({ ok: false, code: 'not-retryable' });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'failed', bodies_deleted_at: Date.now() });
  });

  it('that live as long as their row cost no write of their own', async () => {
    const task = await house.submit();
    await house.deliver();
    const settings = { retentionMs: 30 * DAY_MS, bodyRetentionMs: 30 * DAY_MS };
    expect(await forgetOld(env.DB, settings, START + 29 * DAY_MS)).toEqual({ deleted: 0, bodiesDeleted: 0 });
    expect(await house.row(task.id)).toMatchObject({ bodies_deleted_at: null });
    expect(await forgetOld(env.DB, settings, START + 31 * DAY_MS)).toEqual({ deleted: 1, bodiesDeleted: 0 });
  });
});

describe('a walk', () => {
  const plant = (name: string, count: number, createdAt: number, finishedAt: number | null) =>
    env.DB.prepare(
      `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
       INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at, request)
       SELECT substr(?2, 1, 22) || ?3 || printf('%08d', n), 'alice', 'bound', CASE WHEN ?4 IS NULL THEN 'queued' ELSE 'succeeded' END,
         1, 0, 0, ?5, ?4, '{}' FROM n`,
    )
      .bind(count, smallestTaskIdAt(createdAt), name.padEnd(6, '0'), finishedAt, START + 365 * DAY_MS)
      .run();
  const bodies = () => env.DB.prepare('SELECT count(*) AS n FROM tasks WHERE bodies_deleted_at IS NULL').first('n');

  it('is bounded a round and goes on where it stopped, until nothing is left', async () => {
    house.watching = false;
    await plant('a', 25_000, START, START);
    const rounds: number[] = [];
    for (let round = 0; round < 4; round++) {
      rounds.push((await forgetOld(env.DB, SETTINGS, START + 4 * DAY_MS + round)).bodiesDeleted);
    }
    expect(rounds).toEqual([10_000, 10_000, 5_000, 0]);
    expect(await bodies()).toBe(0);
  });

  it('passes over old tasks that are open and still reaches those behind them', async () => {
    house.watching = false;
    await plant('a', 30_000, START, null);
    await plant('b', 100, START + 1000, START + 1000);
    let deleted = 0;
    for (let round = 0; round < 5; round++) {
      deleted += (await forgetOld(env.DB, SETTINGS, START + 31 * DAY_MS + round)).deleted;
    }
    expect(deleted).toBe(100);
  });

  it('ends bodies and rows of the same stretch in one round', async () => {
    house.watching = false;
    await plant('a', 300, START, START);
    await plant('b', 200, START + 1000, START + 28 * DAY_MS);
    expect(await forgetOld(env.DB, SETTINGS, START + 32 * DAY_MS)).toEqual({ deleted: 300, bodiesDeleted: 200 });
  });
});
