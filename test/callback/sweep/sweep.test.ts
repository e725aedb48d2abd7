import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewTask } from '../../../shared/message/task-message.ts';
import { ALL_KINDS, emptyTally, hourOf } from '../../../shared/statistics/tally.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { addToStatistics, readStatistics } from '../../../shared/store/statistics.ts';
import { accepted, status } from '../../protocol/backend.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, START } from '../../protocol/clock.ts';
import { House } from '../../protocol/house.ts';
import { comeToRest } from '../../protocol/rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

/** Tasks that no queue took: recorded as due now. */
async function dueTasks(count: number): Promise<NewTask[]> {
  const tasks = await Promise.all(Array.from({ length: count }, () => house.mint()));
  await house.callback('accept', ({ db }) => recordAccepted(db, tasks, Date.now()));
  return tasks;
}

describe('sweep', () => {
  it('may run twice at once: each task is woken once', async () => {
    const tasks = await dueTasks(20);
    await house.clock.drive(() => Promise.all([house.sweep(), house.sweep(), house.sweep()]));
    expect(
      house.post
        .waiting()
        .map(({ taskId }) => taskId)
        .sort(),
    ).toEqual(tasks.map(({ id }) => id).sort());
    await comeToRest(house);
  });

  it('wakes more tasks than fit one statement or one send', async () => {
    house.watching = false;
    const tasks = await dueTasks(1_234);
    expect(await house.sweep()).toMatchObject({ kind: 'returned', value: { woken: 1_234, ended: 0 } });
    expect(new Set(house.post.waiting().map(({ taskId }) => taskId)).size).toBe(tasks.length);
  });

  it('has nothing to do for a task that runs, or waits for its message', async () => {
    const task = await house.submit();
    house.backend.answer(task.id, status(500, { 'retry-after': '60' }));
    await house.deliver();
    await house.clock.moveTo(START + 30_000);
    expect(await house.sweep()).toMatchObject({ value: { woken: 0, ended: 0, strays: 0, deleted: 0 } });
    await comeToRest(house);
  });

  it('ends a waiting task at its deadline, without another run', async () => {
    const task = await house.submit({ deadlineMs: 2 * MINUTE_MS });
    house.backend.answer(task.id, accepted());
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'expired', run: 1, finished_at: START + 2 * MINUTE_MS });
  });

  it('wakes again, later each time, when wake-ups are lost', async () => {
    const [task] = await dueTasks(1);
    house.post.loses = () => house.post.sent.length < 4;
    await comeToRest(house);
    const sentAt = house.post.sent.map((letter) => (letter.sentAt - START) / MINUTE_MS);
    expect(sentAt).toEqual([0, 1, 3, 7, 15].slice(0, sentAt.length));
    expect(await house.row(task?.id ?? '')).toMatchObject({ status: 'succeeded', run: 1 });
  });
});

describe('a callback that does not come', () => {
  const overdue = async (request: NewTask['request'], maxAttempts: number) => {
    const task = await house.submit({ service: 'bound', maxAttempts, request });
    house.backend.answer(task.id, accepted());
    await comeToRest(house);
    return house.row(task.id);
  };

  it('hands the task over to the next service once its attempts are used up', async () => {
    const row = await overdue({ path: '/work', fallback: ['fetched'] }, 1);
    expect(row).toMatchObject({ status: 'succeeded', service: 'fetched', run: 2, failures: 1 });
    const history = JSON.parse(row?.history ?? '[]') as Record<string, unknown>[];
    const failed = history.find(({ outcome }) => outcome === 'failed');
    expect(failed).toMatchObject({ fallback: 'fetched', error: { class: 'callback-timeout' } });
  });

  it('hands it over at once where that was asked for', async () => {
    const request = { path: '/work', fallback: ['fetched'], fallbackOn: ['callback-timeout' as const] };
    expect(await overdue(request, 8)).toMatchObject({ status: 'succeeded', service: 'fetched', run: 2 });
  });

  it('is an attempt that failed where no other service is named', async () => {
    expect(await overdue({ path: '/work' }, 1)).toMatchObject({ status: 'failed', service: 'bound', run: 1 });
  });
});

describe('a task that starts later than a queue delays', () => {
  it('is carried by its row, then by a message, and starts in time', async () => {
    const startsAt = START + 30 * HOUR_MS;
    const task = { ...(await house.mint({ deadlineMs: 40 * HOUR_MS })), runAt: startsAt };
    expect(await house.accept(task, false)).toBe(true);
    expect(house.post.waiting()).toEqual([]);
    expect(await house.row(task.id)).toMatchObject({ status: 'scheduled', next_at: startsAt });
    await comeToRest(house);
    const row = await house.row(task.id);
    expect(row).toMatchObject({ status: 'succeeded', run: 1 });
    expect(row?.started_at).toBeGreaterThanOrEqual(startsAt);
    expect(row?.started_at).toBeLessThan(startsAt + MINUTE_MS);
  });
});

describe('the net (rule R9)', () => {
  it('goes on where it stopped, and starts over at the end', async () => {
    house.watching = false;
    const tasks = await Promise.all(Array.from({ length: 5_100 }, () => house.mint({ deadlineMs: HOUR_MS })));
    await house.callback('accept', ({ db }) => recordAccepted(db, tasks, undefined));
    await house.clock.moveTo(START + HOUR_MS);
    expect(await house.sweep()).toMatchObject({ value: { strays: 5_000 } });
    expect(await house.sweep()).toMatchObject({ value: { strays: 100, ended: 5_000 } });
    expect(await house.sweep()).toMatchObject({ value: { strays: 0, ended: 100 } });
    expect(await house.sweep()).toMatchObject({ value: { strays: 0, ended: 0 } });
  });

  it('leaves alone what has a message, a lease or time left', async () => {
    const task = await house.submit({ deadlineMs: HOUR_MS });
    house.backend.answer(task.id, status(429, { 'retry-after': '1800' }));
    await house.deliver();
    await house.clock.moveTo(START + HOUR_MS - 1);
    expect(await house.sweep()).toMatchObject({ value: { strays: 0 } });
    await comeToRest(house);
  });
});

describe('the sweep', () => {
  it('forgets revoked tokens that have expired', async () => {
    await env.DB.prepare('INSERT INTO revoked_tokens (jti, expires_at) VALUES (?1, ?2), (?3, ?4)')
      .bind('over', START, 'live', START + 1)
      .run();
    await house.sweep();
    const { results } = await env.DB.prepare('SELECT jti FROM revoked_tokens').all();
    expect(results).toEqual([{ jti: 'live' }]);
  });

  it('keeps counts for as long as they are shown: of services a month and a week, of names of others less', async () => {
    const days = [0, 1, 3, 31, 33, 38, 40];
    const rows = ALL_KINDS.flatMap((kind) => days.map((day) => emptyTally(kind, 'any', hourOf(START - day * DAY_MS))));
    await addToStatistics(env.DB, rows);
    await house.clock.moveTo(START + 30 * MINUTE_MS);
    await house.sweep();
    const kept = async (kind: (typeof ALL_KINDS)[number]) =>
      (await readStatistics(env.DB, kind, 0, 'any', 100)).map(({ hour }) => (hourOf(START) - hour) / 24).toReversed();
    expect(Object.fromEntries(await Promise.all(ALL_KINDS.map(async (kind) => [kind, await kept(kind)])))).toEqual({
      service: [0, 1, 3, 31, 33, 38],
      subject: [0, 1, 3, 31],
      server: [0, 1, 3, 31],
      store: [0, 1],
      queue: [0, 1],
    });
  });
});
