import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cancelMessage, type NewTask } from '../../shared/message/task-message.ts';
import { servicesSchema } from '../../shared/service/definition.ts';
import { ok } from '../protocol/backend.ts';
import { MAX_INVOCATIONS } from '../protocol/bindings.ts';
import { House } from '../protocol/house.ts';
import { comeToRest } from '../protocol/rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

async function submit(count: number, service: string): Promise<NewTask[]> {
  const tasks: NewTask[] = [];
  for (let index = 0; index < count; index++) tasks.push(await house.submit({ service }));
  return tasks;
}

async function succeeded(): Promise<number> {
  return (await house.rows()).filter(({ status }) => status === 'succeeded').length;
}

describe('a batch of 100 calls over the network, 5 s to the headers', () => {
  async function run(): Promise<{ durations: number[]; outcomes: Record<string, number> }> {
    const tasks = await submit(100, 'fetched');
    for (const { id } of tasks) house.backend.answer(id, house.backend.after(5_000, ok()));
    await house.deliver();
    const attempts = house.printed.flatMap((line) => {
      const event = JSON.parse(line) as { event: string; durationMs: number; outcome: string; errorClass?: string };
      return event.event === 'task.attempted' ? [event] : [];
    });
    const outcomes: Record<string, number> = {};
    for (const { outcome, errorClass = outcome } of attempts) outcomes[errorClass] = (outcomes[errorClass] ?? 0) + 1;
    return { durations: [...new Set(attempts.map(({ durationMs }) => durationMs))], outcomes };
  }

  it('makes each once, six at a time, and records what the backend took', async () => {
    expect(await run()).toEqual({ durations: [5_000], outcomes: { succeeded: 100 } });
    expect(house.backend.calls).toHaveLength(100);
    expect(house.backend.mostAtOnce).toBe(6);
    expect(house.invocations).toBe(1);
    expect(await succeeded()).toBe(100);
  });

  it('would time out where it asked for more connections than the platform gives', async () => {
    house.connections = 100;
    const { outcomes } = await run();
    expect(outcomes).toEqual({ succeeded: 30, timeout: 70 });
    expect(house.backend.calls.length).toBeLessThan(100);
  });
});

describe('two services in one batch', () => {
  it('share the turns: the slow one holds six tenths of them while the other waits', async () => {
    house.services = servicesSchema(true).parse({
      slow: { baseUrl: 'http://slow.test', timeoutSeconds: 100 },
      quick: { baseUrl: 'http://quick.test' },
    });
    const slow = await submit(20, 'slow');
    const quick = await submit(20, 'quick');
    for (const { id } of slow) house.backend.answer(id, house.backend.after(60_000, ok()));
    for (const { id } of quick) house.backend.answer(id, house.backend.after(100, ok()));
    const before = house.clock.now;
    await house.deliver();
    const startsOf = (tasks: readonly NewTask[]) =>
      tasks.map(({ id }) => house.backend.callsOf(id)[0]!.startedAt - before);
    expect(startsOf(slow).filter((at) => at === 0)).toHaveLength(3);
    expect(Math.max(...startsOf(quick))).toBe(600);
    expect(house.backend.mostAtOnce).toBe(6);
    expect(await succeeded()).toBe(40);
  });
});

describe('the invocations that a batch of 100 really causes', () => {
  it('over the network: the ledger session alone', async () => {
    await submit(100, 'fetched');
    await house.deliver();
    expect(house.invocations).toBe(1);
  });

  it('to bound Workers: what does not fit is left for the next batches, unclaimed', async () => {
    await submit(100, 'bound');
    await house.deliver();
    expect(house.invocations).toBeLessThanOrEqual(MAX_INVOCATIONS);
    const done = await succeeded();
    expect(done).toBeGreaterThanOrEqual(20);
    expect(house.post.waiting()).toHaveLength(100 - done);
    expect(await house.rows()).toHaveLength(done);
    await comeToRest(house);
    expect(await succeeded()).toBe(100);
  });

  it('both, while the sessions break and outcomes come one by one', async () => {
    const tasks = [...(await submit(80, 'fetched')), ...(await submit(20, 'bound'))];
    for (const [index, { id }] of tasks.entries()) house.backend.answer(id, house.backend.after(index * 200, ok()));
    for (const nth of [1, 3, 5, 7, 9, 11]) house.faults.once('ledger.settle', 'lost-answer', nth);
    await house.deliver();
    expect(house.invocations).toBeLessThanOrEqual(MAX_INVOCATIONS);
    await comeToRest(house);
    expect(await succeeded()).toBe(100);
  });

  it('cancellations that bound Workers are told of wait their turn', async () => {
    house.services = servicesSchema(true).parse({ bound: { binding: 'BACKEND', cancelPath: '/work/{id}' } });
    const tasks = await submit(10, 'bound');
    for (const { id } of tasks) house.post.put('tasks', cancelMessage(id, 'bound'));
    await house.deliver();
    expect(house.backend.told).toHaveLength(2);
    await comeToRest(house);
    expect([...house.backend.told].sort()).toEqual(tasks.map(({ id }) => id).sort());
  });

  it('a bound Worker whose running call is aborted is told by a later batch', async () => {
    house.services = servicesSchema(true).parse({ bound: { binding: 'BACKEND', cancelPath: '/work/{id}' } });
    const tasks = await submit(20, 'bound');
    for (const task of tasks) {
      house.backend.answer(task.id, house.backend.silent());
      house.plan(house.clock.now + 1_000, () => house.cancel(task));
    }
    await comeToRest(house);
    expect([...house.backend.told].sort()).toEqual(tasks.map(({ id }) => id).sort());
  });
});
