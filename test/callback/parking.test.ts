import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ShardQueue } from '../../callback/env.ts';
import { describeLines, releaseLine } from '../../callback/parking.ts';
import { answerClaims } from '../../callback/runs/claim.ts';
import { settleAttempts } from '../../callback/runs/settle.ts';
import { serviceLine } from '../../shared/capacity/line.ts';
import type { Settled } from '../../shared/ledger/contract.ts';
import type { NewTask } from '../../shared/message/task-message.ts';
import { writeScanPosition } from '../../shared/store/carrier.ts';
import { recoverAfterRestart } from '../../shared/store/recovery.ts';
import { MINUTE_MS, START } from '../protocol/clock.ts';
import { House } from '../protocol/house.ts';
import { comeToRest } from '../protocol/rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
  // Claims and settles are made here directly: no message lies in the queue.
  house.watching = false;
});
afterEach(() => house.close());

const FALLBACK_MS = 10 * MINUTE_MS;

/** What a consumer does with tasks for which the registry has no server. */
async function park(tasks: readonly NewTask[], fallbackMs = FALLBACK_MS): Promise<readonly Settled[]> {
  const lineOf = new Map(tasks.map(({ id, service }) => [id, service]));
  const ending = await house.callback('park', async (callback) => {
    const claims = tasks.map(({ id, request, ...task }) => ({
      id,
      leaseMs: 61_000,
      task: { ...task, request: JSON.stringify(request) },
    }));
    const grants = await answerClaims(callback, { nonce: crypto.randomUUID(), claims }, Date.now());
    const settlements = grants.flatMap((grant) => {
      if (!grant.granted) return [];
      const { id, state } = grant;
      const event = {
        type: 'defer',
        at: Date.now(),
        run: state.run,
        reason: 'no-server',
        delayMs: fallbackMs,
      } as const;
      return [{ id, state, event: { ...event, park: { line: serviceLine(lineOf.get(id) ?? '') } } }];
    });
    return settleAttempts(callback, settlements, Date.now());
  });
  if (ending.kind !== 'returned') throw new Error(`parking ${ending.kind}`);
  return ending.value;
}

async function parkedTasks(count: number, service = 'bound'): Promise<NewTask[]> {
  const tasks = await Promise.all(Array.from({ length: count }, () => house.mint({ service })));
  await park(tasks);
  return tasks.sort((a, b) => (a.id < b.id ? -1 : 1));
}

const release = (limit = 100, service = 'bound') =>
  house.callback('release', (callback) => releaseLine(callback, { line: serviceLine(service), limit }, Date.now()));
const wokenIds = () =>
  house.post
    .waiting()
    .map(({ taskId }) => taskId)
    .sort();
const woken = (released: number, left = false) => ({ kind: 'returned', value: { released, left } });

describe('a parked task', () => {
  it('has its message acked: its row wakes it', async () => {
    const task = await house.mint();
    expect(await park([task])).toEqual([{ id: task.id, status: 'deferred', disposition: { kind: 'ack' } }]);
    expect(await house.row(task.id)).toMatchObject({
      status: 'deferred',
      reason: 'no-server',
      parked_for: 'service:bound',
      next_at: START + FALLBACK_MS,
      due_at: START + FALLBACK_MS,
    });
  });

  it('runs at its fallback when its event never comes', async () => {
    const [task] = await parkedTasks(1);
    await comeToRest(house);
    expect(await house.row(task!.id)).toMatchObject({ status: 'succeeded', run: 2, parked_for: null });
    expect(house.backend.callsOf(task!.id)[0]?.startedAt).toBeGreaterThanOrEqual(START + FALLBACK_MS);
  });

  it('ends at its deadline when that is sooner', async () => {
    const task = await house.mint({ deadlineMs: MINUTE_MS });
    await park([task]);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'expired', run: 1, parked_for: null });
  });

  it('can be cancelled', async () => {
    const [task] = await parkedTasks(1);
    expect(await house.cancel(task!)).toMatchObject({ ok: true });
    expect(await house.row(task!.id)).toMatchObject({ status: 'cancelled', parked_for: null, due_at: null });
    expect(await release()).toEqual(woken(0));
  });

  it('stays parked over a restart of the local run, with its fallback', async () => {
    const [task] = await parkedTasks(1);
    await house.callback('restart', ({ db }) => recoverAfterRestart(db, Date.now()));
    expect(await house.row(task!.id)).toMatchObject({ parked_for: 'service:bound', due_at: START + FALLBACK_MS });
    expect(await release()).toEqual(woken(1));
  });
});

describe('an overdue task in a line', () => {
  /** One round, in which the net is far away. */
  async function sweepWithoutNet(): Promise<void> {
    await house.callback('net', ({ db }) => writeScanPosition(db, 'strays', 'z'));
    await house.sweep();
  }

  it.each([
    { head: 'another that is overdue', deadlines: [20, 20, 20] },
    { head: 'one that has time', deadlines: [60, 20, 20] },
  ])('behind $head ends within two minutes, though nobody moves the line', async ({ deadlines }) => {
    const tasks: NewTask[] = [];
    for (const minutes of deadlines) tasks.push(await house.mint({ deadlineMs: minutes * MINUTE_MS }));
    await park(tasks);
    await house.clock.moveTo(START + 20 * MINUTE_MS);
    await sweepWithoutNet();
    await house.clock.moveTo(START + 21 * MINUTE_MS);
    await sweepWithoutNet();
    const statuses = await Promise.all(tasks.map(async ({ id }) => (await house.row(id)).status));
    expect(statuses.slice(1)).toEqual(['expired', 'expired']);
  });
});

describe('releaseLine', () => {
  it('wakes the tasks of the line, the oldest first, as many as it may, and says whether more stand in it', async () => {
    const tasks = await parkedTasks(5);
    const [other] = await parkedTasks(1, 'fetched');
    expect(await release(3)).toEqual(woken(3, true));
    expect(wokenIds()).toEqual(tasks.slice(0, 3).map(({ id }) => id));
    expect(await house.row(tasks[0]!.id)).toMatchObject({ next_at: START, due_at: START + MINUTE_MS });
    expect(await house.row(tasks[4]!.id)).toMatchObject({ released_at: null, due_at: START + FALLBACK_MS });
    expect(await release(3)).toEqual(woken(2));
    expect(await house.row(other!.id)).toMatchObject({ parked_for: 'service:fetched', released_at: null });
  });

  it('wakes those alone that are named, as far as they stand in the line, and each once', async () => {
    const [first, second, third] = await parkedTasks(3);
    const [other] = await parkedTasks(1, 'fetched');
    const tasks = [third!.id, other!.id, second!.id];
    const wake = () =>
      house.callback('release', (callback) =>
        releaseLine(callback, { line: 'service:bound', limit: 3, tasks }, Date.now()),
      );
    expect(await wake()).toEqual(woken(2, true));
    expect(wokenIds().toSorted()).toEqual([second!.id, third!.id].toSorted());
    expect(await house.row(first!.id)).toMatchObject({ released_at: null });
    expect(await wake()).toEqual(woken(0, true));
  });

  it('leaves a released task in its line until its claim, and passes it over until its wake-up counts as lost', async () => {
    const [first, second] = await parkedTasks(2);
    house.post.loses = () => house.post.sent.length < 2;
    expect(await release(1)).toEqual(woken(1, true));
    expect(await house.row(first!.id)).toMatchObject({ parked_for: 'service:bound', released_at: START });
    expect(await release()).toEqual(woken(1));
    await house.deliver();
    expect(await house.row(second!.id)).toMatchObject({ status: 'succeeded', parked_for: null, released_at: null });
    await house.clock.moveTo(START + MINUTE_MS);
    expect(await release()).toEqual(woken(1));
    await house.deliver();
    expect(await house.row(first!.id)).toMatchObject({ status: 'succeeded', parked_for: null });
  });

  it('sends to the shard that pulls, and to another when that one is gone', async () => {
    await parkedTasks(2);
    const sent: number[] = [];
    const queueOf = (shard: number, isUp: boolean): ShardQueue => ({
      shard,
      queue: {
        sendBatch: async (messages: readonly unknown[]) => {
          if (!isUp) throw new Error('gone');
          for (const _ of messages) sent.push(shard);
        },
      } as unknown as ShardQueue['queue'],
    });
    const taskQueues = [queueOf(0, true), queueOf(1, true), queueOf(2, false)];
    const request = { line: 'service:bound', limit: 1 };
    await house.callback('release', (callback) =>
      releaseLine({ ...callback, taskQueues }, { ...request, shard: 1 }, Date.now()),
    );
    expect(sent).toEqual([1]);
    await house.callback('release', (callback) =>
      releaseLine({ ...callback, taskQueues }, { ...request, shard: 2 }, Date.now()),
    );
    expect(sent).toEqual([1, 0]);
  });

  it('may run twice at once: each task is woken once', async () => {
    const tasks = await parkedTasks(20);
    const endings = await house.clock.drive(() => Promise.all([release(), release(), house.sweep(), release()]));
    expect(endings).toContainEqual(woken(20));
    expect(wokenIds()).toEqual(tasks.map(({ id }) => id));
    await comeToRest(house);
    for (const { id } of tasks) expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('loses no task when it is killed between the rows and the wake-ups', async () => {
    const [task] = await parkedTasks(1);
    house.faults.once('queue.send', 'crash-before');
    expect(await release()).toEqual({ kind: 'killed' });
    expect(house.post.waiting()).toEqual([]);
    await comeToRest(house);
    expect(await house.row(task!.id)).toMatchObject({ status: 'succeeded', run: 2 });
    expect(house.backend.callsOf(task!.id)[0]?.startedAt).toBe(START + MINUTE_MS);
  });

  it('sends nothing before its rows are written: the message meets a claimable task', async () => {
    const [task] = await parkedTasks(1);
    house.post.afterSend = async (letters) => {
      await house.deliver([...letters]);
    };
    await release();
    expect(await house.row(task!.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });
});

describe('describeLines', () => {
  it('says how many stand in a line, and who is the oldest', async () => {
    const [oldest] = await parkedTasks(3);
    const lines = ['service:bound', 'service:fetched', 'service:bound'];
    expect(await house.callback('describe', (callback) => describeLines(callback, lines))).toEqual({
      kind: 'returned',
      value: [
        { line: 'service:bound', count: 3, oldestId: oldest!.id },
        { line: 'service:fetched', count: 0 },
      ],
    });
  });
});
