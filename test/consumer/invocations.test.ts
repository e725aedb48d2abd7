import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_INVOCATIONS } from '../../consumer/call/invocations.ts';
import { cancelMessage, type NewTask } from '../../shared/message/task-message.ts';
import { servicesSchema } from '../../shared/service/definition.ts';
import { ok } from '../protocol/backend.ts';
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

describe('the invocations that a batch of 100 really causes', () => {
  it('over the network: one session, six calls here and slices of six', async () => {
    const tasks = await submit(100, 'fetched');
    for (const { id } of tasks) house.backend.answer(id, house.backend.after(50, ok()));
    await house.deliver();
    expect([...house.slices].sort()).toEqual([4, ...Array(15).fill(6)]);
    expect(house.invocations).toBe(1 + 16);
    expect(await succeeded()).toBe(100);
  });

  it('to a quick service: six show it, then a third of the slices, six calls at a time in each', async () => {
    const tasks = await submit(100, 'fetched');
    for (const { id } of tasks) house.backend.answer(id, house.backend.after(10, ok()));
    await house.deliver();
    expect(house.slices).toEqual([18, 18, 18, 18, 4]);
    expect(house.backend.mostAtOnce).toBe(6 * 5 + 4);
    expect(await succeeded()).toBe(100);
  });

  it('to a service that was quick and no longer is: what has not started goes out six by six', async () => {
    await submit(1, 'fetched');
    await house.deliver();
    const tasks = await submit(100, 'fetched');
    for (const { id } of tasks) house.backend.answer(id, house.backend.after(20_000, ok()));
    const before = house.clock.now;
    await house.deliver();
    expect(house.slices.slice(0, 5)).toEqual([18, 18, 18, 18, 10]);
    expect(house.slices.slice(5).sort()).toEqual([4, ...Array(10).fill(6)]);
    expect(house.invocations).toBe(1 + 16);
    expect(house.clock.now - before).toBeLessThan(21_000);
    expect(await succeeded()).toBe(101);
  });

  it('six over the network need no slice', async () => {
    await submit(6, 'fetched');
    await house.deliver();
    expect(house.slices).toEqual([]);
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
