/** Rules of the protocol: tasks that wait in line for capacity, and tasks that run alone. */
import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { setPaused } from '../../../callback/services/services.ts';
import { ServerLeases } from '../../../consumer/capacity/server-leases.ts';
import type { Settlement } from '../../../shared/ledger/contract.ts';
import { cancelMessage, type NewTask, newTaskMessage } from '../../../shared/message/task-message.ts';
import { servicesSchema } from '../../../shared/service/definition.ts';
import { requestColumns } from '../../../shared/store/request-columns.ts';
import { ok } from '../backend.ts';
import { HOUR_MS, MINUTE_MS, START } from '../clock.ts';
import { House } from '../house.ts';
import { comeToRest } from '../rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

describe('R20 waiting room', () => {
  /** For which nobody is there: its letter is acked, its row carries it. */
  async function parkedTask(order: Parameters<House['submit']>[0] = {}) {
    const task = await house.submit({ service: 'served', ...order });
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({
      status: 'deferred',
      reason: 'no-server',
      parked_for: 'service:served',
    });
    expect(house.post.waiting()).toEqual([]);
    return task;
  }

  it('a task without a server waits for one, without a message and without losing an attempt', async () => {
    const task = await parkedTask({ maxAttempts: 1 });
    house.plan(START + 20_000, async () => void house.fleet.join('late'));
    house.plan(START + 20_000, () => house.release());
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2, deferrals: 1, parked_for: null });
    expect(house.backend.callsOf(task.id)[0]?.startedAt).toBe(START + 20_000);
  });

  it('its claim, which was repeated, lands once more when it was released', async () => {
    house.faults.once('ledger.claim', 'late');
    const task = await parkedTask();
    house.fleet.join('late');
    house.faults.once('queue.send', 'crash-before');
    await house.release();
    house.plan(START + 10_000, async () => {
      expect(house.log.join()).toContain('late: ledger.claim');
      expect(await house.row(task.id)).toMatchObject({ status: 'deferred', run: 1 });
    });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it.each([
    ['long after it was asked', 20, 45_000],
    ['soon after its repeat was answered', 57, 5_000],
  ])("a duplicate's claim lands at its fallback, %s", async (_, afterSeconds, lateMs) => {
    await house.clock.moveTo(START + 10_000);
    const task = await house.submit({ service: 'served' });
    house.post.duplicate(house.ready()[0]!, afterSeconds);
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ status: 'deferred', due_at: START + 70_000 });
    house.faults.once('ledger.claim', 'late');
    house.lateMs = () => lateMs;
    house.plan(START + 90_000, async () => {
      expect(house.log.join()).toContain('late: ledger.claim');
      house.fleet.join('late');
    });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded' });
  });

  it('a crash after the rows say so, before the wake-ups go', async () => {
    const task = await parkedTask();
    house.fleet.join('late');
    house.faults.once('queue.send', 'crash-before');
    expect(await house.release()).toEqual({ kind: 'killed' });
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
    expect(house.backend.callsOf(task.id)[0]?.startedAt).toBe(START + MINUTE_MS);
  });

  it('the wake-up meets the row that was written before it', async () => {
    const task = await parkedTask();
    house.fleet.join('late');
    house.post.afterSend = async (letters) => {
      await house.deliver([...letters]);
    };
    await house.release();
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('an event that never comes: the task looks again at its fallback, and is sent again if that is lost', async () => {
    const task = await parkedTask();
    house.servesLines = false;
    house.fleet.join('late');
    const { due_at: fallback } = await house.row(task.id);
    const sent = house.post.sent.length;
    house.post.loses = () => house.post.sent.length < sent + 3;
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
    const round = Math.ceil(fallback! / MINUTE_MS) * MINUTE_MS;
    const minutes = house.post.sent.slice(sent).map(({ sentAt }) => (sentAt - round) / MINUTE_MS);
    expect(minutes).toEqual([0, 1, 3]);
  });

  it('a duplicate that meets a parked task is acked, and changes nothing', async () => {
    const task = await house.submit({ service: 'served' });
    house.post.duplicate(house.ready()[0]!, 10);
    await house.deliver();
    await house.clock.moveTo(START + 10_000);
    await house.deliver();
    expect(house.post.waiting()).toEqual([]);
    expect(await house.row(task.id)).toMatchObject({ run: 1, parked_for: 'service:served' });
    house.fleet.join('late');
    await house.release();
    await comeToRest(house);
    expect(house.backend.callsOf(task.id)).toHaveLength(1);
  });

  it('a duplicate that comes after the fallback, before the sweeper, runs it', async () => {
    const task = await house.submit({ service: 'served' });
    house.post.duplicate(house.ready()[0]!, 600);
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ parked_for: 'service:served' });
    house.fleet.join('late');
    await house.clock.moveTo(START + 600_000);
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2, parked_for: null, due_at: null });
  });

  it('an answer lost on the way of parking leaves it parked', async () => {
    const task = await house.submit({ service: 'served' });
    house.faults.once('ledger.settle', 'lost-answer');
    await house.deliver();
    expect(house.post.waiting()).toEqual([]);
    expect(await house.row(task.id)).toMatchObject({ parked_for: 'service:served', deferrals: 1 });
    house.fleet.join('late');
    await house.release();
    await comeToRest(house);
  });

  it('a paused service keeps its tasks until it is resumed', async () => {
    house.fleet.join('there');
    house.fleet.object.change((registry) => setPaused(registry, 'served', {}));
    const task = await house.submit({ service: 'served' });
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ reason: 'paused', parked_for: 'service:served' });
    house.fleet.object.change((registry) => setPaused(registry, 'served', undefined));
    await house.release();
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });
});

describe('R21 alone', () => {
  /** SQLite reads JSON that is a thousand levels deep, and no deeper. */
  const tooDeep = () => JSON.parse(`${'['.repeat(1_100)}${']'.repeat(1_100)}`);

  it('a settlement that the database refuses costs no other its outcome', async () => {
    const [odd, mate] = [await house.submit(), await house.submit()];
    house.backend.fallback = house.backend.silent();
    const settlements = await house.ledger(async (session) => {
      const claims = [odd, mate].map(({ id, request, ...task }) => ({
        id,
        leaseMs: 61_000,
        task: { ...task, ...requestColumns(request) },
      }));
      const grants = await session.claim({ nonce: crypto.randomUUID(), claims });
      return session.settle(
        grants.flatMap((grant) => {
          if (!grant.granted) return [];
          const { id, state } = grant;
          // More deferrals than runs: a CHECK refuses the row.
          const deferrals = id === odd.id ? 5 : 0;
          return [{ id, state: { ...state, deferrals }, event: { type: 'succeed', at: Date.now(), run: 1 } as const }];
        }),
      );
    });
    house.refusals.length = 0;
    expect(settlements).toMatchObject([
      // It is tried once more against what its row says.
      { id: odd.id, status: 'succeeded', disposition: { kind: 'ack' } },
      { id: mate.id, status: 'succeeded', disposition: { kind: 'ack' } },
    ]);
  });

  it('a settlement that cannot be read costs no other its outcome, and is answered', async () => {
    const task = await house.submit();
    const odd = await house.mint();
    const state = {
      status: 'running',
      run: 1,
      deferrals: 0,
      attemptsOffset: 0,
      policy: task.policy,
      deadlineAt: 1e15,
      leaseUntil: 1e15,
    };
    await house.deliver();
    const answers = await house.ledger((session) =>
      session.settle([
        { id: odd.id, state, event: { type: 'fail', at: 0, run: 1.5, retryable: true, delayMs: 0 } },
        { id: task.id, state, event: { type: 'succeed', at: 0, run: 1 } },
      ] as Settlement[]),
    );
    expect(answers).toMatchObject([
      { id: task.id, status: 'succeeded' },
      { id: odd.id, status: 'unreadable', disposition: { kind: 'retry' } },
    ]);
  });

  it('a claim that the database refuses costs no other its run', async () => {
    const [odd, mate] = [await house.mint(), await house.mint()];
    const answers = await house.ledger((session) => {
      const claims = [odd, mate].map(({ id, request, ...task }) => {
        const columns = requestColumns(request);
        if (id === odd.id) columns.request.deep = tooDeep();
        return { id, leaseMs: 61_000, task: { ...task, ...columns } };
      });
      return session.claim({ nonce: crypto.randomUUID(), claims });
    });
    house.refusals.length = 0;
    expect(answers).toMatchObject([
      { id: odd.id, granted: false, status: 'unreadable', disposition: { kind: 'retry' } },
      { id: mate.id, granted: true },
    ]);
  });

  it('a callback token that cannot be signed costs no other task its run', async () => {
    const [odd, mate] = [await house.submit(), await house.submit()];
    const sign = crypto.subtle.sign.bind(crypto.subtle);
    vi.spyOn(crypto.subtle, 'sign').mockImplementation(async (algorithm, key, data) => {
      if (new TextDecoder().decode(data).includes(odd.id)) throw new Error('a bug');
      return sign(algorithm, key, data);
    });
    await house.deliver();
    expect(house.backend.callsOf(odd.id)).toEqual([]);
    expect(await house.row(mate.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.post.waiting()).toHaveLength(1);
    vi.mocked(crypto.subtle.sign).mockRestore();
    await comeToRest(house);
    expect(await house.row(odd.id)).toMatchObject({ status: 'succeeded' });
  });

  it('a message past its deadline that the database refuses costs no other its run', async () => {
    const [odd, late, mate] = [await house.mint(), await house.mint(), await house.mint()];
    const answers = await house.ledger((session) => {
      const claims = [odd, late, mate].map(({ id, request, ...task }) => {
        const columns = requestColumns(request);
        if (id === odd.id) columns.request.deep = tooDeep();
        const deadlineAt = id === mate.id ? task.deadlineAt : START;
        return { id, leaseMs: 61_000, task: { ...task, deadlineAt, ...columns } };
      });
      return session.claim({ nonce: crypto.randomUUID(), claims });
    });
    house.refusals.length = 0;
    expect(answers).toMatchObject([
      { id: odd.id, granted: false, status: 'unreadable', disposition: { kind: 'retry' } },
      { id: late.id, granted: false, status: 'absent', disposition: { kind: 'ack' } },
      { id: mate.id, granted: true },
    ]);
    expect(await house.row(late.id)).toMatchObject({ status: 'expired' });
  });

  it('a row that cannot be read costs no other task of its batch', async () => {
    const odd = await house.submit();
    await house.deliver(house.ready());
    const mate = await house.submit();
    const without = "status = 'deferred', finished_at = NULL, reason = NULL, next_at = ?2";
    await env.DB.prepare(`UPDATE tasks SET ${without} WHERE id = ?1`)
      .bind(odd.id, START + HOUR_MS)
      .run();
    house.writes += 1;
    house.post.put('tasks', newTaskMessage(odd));
    await house.deliver();
    expect(await house.row(mate.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.post.waiting()).toHaveLength(1);
  });

  it('a cancellation that breaks when it is to be told costs no task of its batch its call', async () => {
    house.services = servicesSchema(true).parse({
      told: { baseUrl: 'http://backend.test', cancelPath: '/work/{id}', headers: { 'x-api-key': { secret: 'ODD' } } },
      bound: { binding: 'BACKEND' },
    });
    vi.spyOn(house.secrets, 'get').mockImplementation(() => {
      throw new TypeError('a bug');
    });
    house.post.put('tasks', cancelMessage((await house.mint({ service: 'told' })).id, 'told'));
    const mate = await house.submit({ maxAttempts: 1 });
    house.backend.answer(mate.id, house.backend.after(5_000, ok()));
    await house.deliver();
    expect(await house.row(mate.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.post.waiting()).toEqual([]);
  });

  it('what breaks between the claim and the call gives its tasks back unattempted', async () => {
    const task = await house.submit({ service: 'served', maxAttempts: 1 });
    vi.spyOn(ServerLeases.prototype, 'take').mockRejectedValueOnce(new TypeError('a bug'));
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ status: 'deferred', reason: 'not-started', failures: 0 });
    house.fleet.join('one');
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 2 });
  });

  it('a hundred bodies of 64 KB are claimed in parts of a megabyte', async () => {
    const body = { type: 'text/plain', encoding: 'text', text: 'x'.repeat(60_000) } as const;
    const tasks: NewTask[] = [];
    for (let count = 0; count < 100; count++) {
      tasks.push(await house.submit({ service: 'fetched', request: { path: '/work', body } }));
    }
    await house.deliver();
    expect(house.claimed.length).toBeGreaterThanOrEqual(6);
    expect(Math.max(...house.claimed)).toBeLessThan(1_100_000);
    for (const { id } of tasks) expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 1 });
  });
});
