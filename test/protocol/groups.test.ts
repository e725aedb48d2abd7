/** R24 for groups: the end of the last task is the end of the group, told once, whatever crashes and in whatever order it ends. */
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeGroup } from '../../callback/groups.ts';
import type { NewTask } from '../../shared/message/task-message.ts';
import { createGroup, readGroup, setGroupHook } from '../../shared/store/groups.ts';
import { accepted, status } from './backend.ts';
import { MINUTE_MS, START } from './clock.ts';
import type { Fault } from './faults.ts';
import { House } from './house.ts';
import { hookOf } from './order.ts';
import { comeToRest } from './rest.ts';

const NIGHT = { subject: 'alice', name: 'night-7' };
const GROUP_URL = `${env.PUBLIC_URL}/api/groups/`;

let house: House;
beforeEach(async () => {
  house = await House.open();
  const { id } = await house.mint();
  await createGroup(env.DB, NIGHT, `${id}_w1`, START);
  await setGroupHook(env.DB, NIGHT, JSON.stringify(await hookOf({}, GROUP_URL)));
});
afterEach(() => house.close());

async function submit(count: number): Promise<NewTask[]> {
  const tasks: NewTask[] = [];
  for (let each = 0; each < count; each++) {
    const task = await house.mint({ group: NIGHT.name });
    expect(await house.accept(task, false)).toBe(true);
    tasks.push(task);
  }
  return tasks;
}

const change = (act: 'close' | 'cancel') =>
  house.callback(act, (callback) => changeGroup(callback, { ...NIGHT, store: 0, act }, Date.now()));
const group = async () => readGroup(env.DB, NIGHT);
const told = () => house.receiver.told.filter(({ type }) => type === 'group.completed');

describe('a group', () => {
  it('ends with the last of its tasks, and is told of once', async () => {
    const [first, second] = await submit(3);
    house.backend.answer(first?.id ?? '', status(422));
    house.backend.answer(second?.id ?? '', accepted());
    await change('close');
    await house.deliver();
    expect(await group()).toMatchObject({ total: 3, succeeded: 1, failed: 1, ended_at: null });
    house.plan(START + 2 * MINUTE_MS, () =>
      house.report(
        { id: second?.id ?? '', token: house.backend.callsOf(second?.id ?? '')[0]?.token ?? '' },
        { status: 'succeeded' },
      ),
    );
    await comeToRest(house);
    expect(await group()).toMatchObject({ total: 3, succeeded: 2, failed: 1, ended_at: START + 2 * MINUTE_MS });
    expect(house.receiver.received.map(({ event }) => event)).toEqual([
      {
        type: 'group.completed',
        timestamp: new Date(START + 2 * MINUTE_MS).toISOString(),
        data: {
          id: 'night-7',
          total: 3,
          succeeded: 2,
          failed: 1,
          cancelled: 0,
          expired: 0,
          createdAt: new Date(START).toISOString(),
          endedAt: new Date(START + 2 * MINUTE_MS).toISOString(),
          groupUrl: `${GROUP_URL}night-7`,
        },
      },
    ]);
  });

  it('that is open has no end, and ends at once when it is closed after its tasks', async () => {
    await submit(2);
    await comeToRest(house);
    expect(await group()).toMatchObject({ total: 2, succeeded: 2, ended_at: null });
    await change('close');
    await change('close');
    await comeToRest(house);
    expect(told()).toHaveLength(1);
    expect(house.receiver.received).toHaveLength(1);
  });

  it('that is closed takes no task, and the refused one never runs', async () => {
    await submit(1);
    await change('close');
    const late = await house.mint({ group: NIGHT.name });
    expect(await house.accept(late, false)).toBe('group-closed');
    await comeToRest(house);
    expect(house.backend.callsOf(late.id)).toEqual([]);
    expect(await group()).toMatchObject({ total: 1, succeeded: 1 });
  });

  it('of 500 tasks that is cancelled sends one message, whatever its tasks were doing', async () => {
    await submit(20);
    house.watching = false;
    await env.DB.prepare(
      `WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 480)
       INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, due_at, group_name, request)
       SELECT substr(id, 1, 30) || printf('%06d', n), subject, service, 'queued', 8, 2, 3600, deadline_at, due_at, group_name, request
       FROM numbers, (SELECT * FROM tasks LIMIT 1)`,
    ).run();
    house.writes += 1;
    house.backend.fallback = accepted();
    await house.deliver(house.ready().slice(0, 10));
    await change('cancel');
    await comeToRest(house);
    expect(await group()).toMatchObject({ total: 500, cancelled: 500, succeeded: 0 });
    expect(house.receiver.received).toHaveLength(1);
    expect(house.receiver.received[0]?.event.data).toMatchObject({ total: 500, cancelled: 500 });
    expect(house.backend.told).toHaveLength(0);
  });

  it('whose cancellation dies in the middle is cancelled to its end by the sweeper', async () => {
    await submit(3);
    house.faults.once('db.record', 'crash-before');
    expect((await change('cancel')).kind).toBe('killed');
    expect(await group()).toMatchObject({ cancelled: 0, closed_at: START });
    await house.clock.moveTo(START + MINUTE_MS);
    await house.sweep();
    await comeToRest(house);
    expect(await group()).toMatchObject({ total: 3, cancelled: 3 });
    expect(told()).toHaveLength(1);
  });

  it('whose task is retried by hand after its end counts it anew, and is not told of again', async () => {
    const [task] = await submit(1);
    house.backend.answer(task?.id ?? '', status(422));
    await change('close');
    await comeToRest(house);
    expect(await group()).toMatchObject({ failed: 1, ended_at: START });
    await house.retry(task?.id ?? '');
    expect(await group()).toMatchObject({ failed: 0, total: 1 });
    await comeToRest(house);
    expect(await group()).toMatchObject({ failed: 0, succeeded: 1, ended_at: START });
    expect(house.receiver.received).toHaveLength(1);
  });

  it('is told of only where one of its tasks ended as was asked for', async () => {
    await setGroupHook(env.DB, NIGHT, JSON.stringify(await hookOf({ on: ['failed'] }, GROUP_URL)));
    await submit(2);
    await change('close');
    await comeToRest(house);
    expect(await group()).toMatchObject({ succeeded: 2, ended_at: START });
    expect(house.receiver.received).toEqual([]);
  });

  const crashes: readonly (readonly [at: string, fault: Fault])[] = [
    ['db.accept', 'crash-after'],
    ['db.accept', 'lost-answer'],
    ['queue.send', 'down'],
    ['queue.send', 'crash-before'],
    ['queue.send', 'lost-answer'],
  ];
  it.each(crashes)(
    'a submission that meets a fault at %s (%s) is in the group or is not, and runs if it is',
    async (at, fault) => {
      await submit(1);
      house.faults.once(at, fault);
      const task = await house.mint({ group: NIGHT.name });
      await house.accept(task, false);
      await change('close');
      await comeToRest(house);
      const row = await group();
      expect(row).toMatchObject({ ended_at: expect.any(Number), total: row?.succeeded });
      expect(house.backend.callsOf(task.id)).toHaveLength((row?.total ?? 0) - 1);
      expect(told()).toHaveLength(1);
    },
  );

  const ends: readonly (readonly [at: string, fault: Fault])[] = [
    ['db.record', 'crash-after'],
    ['db.record', 'lost-answer'],
    ['ledger.settle', 'crash-after'],
    ['queue.send', 'down'],
    ['receiver', 'crash-after'],
  ];
  it.each(ends)(
    'the end of its last task meets a fault at %s (%s), and it is told of all the same',
    async (at, fault) => {
      await submit(2);
      await change('close');
      house.faults.once(at, fault);
      await comeToRest(house);
      expect(await group()).toMatchObject({ total: 2, succeeded: 2 });
      expect(told()).toHaveLength(1);
    },
  );
});
