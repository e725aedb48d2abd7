/** What was put a moment ago, while the consumer's last look at the definitions was a moment before. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { putService, readCatalog } from '../../callback/services/services.ts';
import { flowName } from '../../shared/flow/flow.ts';
import { servicesSchema } from '../../shared/service/definition.ts';
import { accepted, ok } from '../protocol/backend.ts';
import { House } from '../protocol/house.ts';
import { comeToRest } from '../protocol/rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

const FETCHED = { baseUrl: 'http://backend.test' };

/** The consumer looks at the definitions, and finds nothing new. */
async function look(): Promise<void> {
  const task = await house.submit({ service: 'fetched' });
  await house.deliver();
  expect(await house.row(task.id)).toMatchObject({ status: 'succeeded' });
}

describe('a service that was put a moment ago', () => {
  it.each([0, 100, 500, 999, 1_500, 4_999])(
    'has its first task called within seconds, %i ms after the consumer asked for definitions',
    async (afterMs) => {
      house.services = servicesSchema(true).parse({ fetched: FETCHED });
      await look();
      await house.submit({ service: 'unheard-of' });
      await house.deliver();
      await house.clock.moveTo(house.clock.now + afterMs);
      putService(house.registry, 'new', FETCHED);
      const putAt = house.clock.now;
      const task = await house.submit({ service: 'new' });
      await house.deliver();
      for (let second = 0; second < 5 && house.backend.callsOf(task.id).length === 0; second++) {
        await house.clock.moveTo(house.clock.now + 1_000);
        await house.deliver();
      }
      expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', failures: 0 });
      expect(house.clock.now - putAt).toBeLessThanOrEqual(10_000);
    },
  );

  it.each([100, 500, 999])(
    'costs its first task neither a run nor a deferral, nor is it called misconfigured, %i ms after the consumer asked',
    async (afterMs) => {
      await house.submit({ service: 'unheard-of' });
      await house.deliver();
      await house.clock.moveTo(house.clock.now + afterMs);
      putService(house.registry, 'new', FETCHED);
      const task = await house.submit({ service: 'new' });
      await house.deliver();
      expect((await house.rows()).map(({ id }) => id)).not.toContain(task.id);
      await house.clock.moveTo(house.clock.now + 1_000);
      await house.deliver();
      expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1, deferrals: 0 });
    },
  );

  it('is not waited for a second time where nobody knows it, and holds up no other task', async () => {
    house.services = servicesSchema(true).parse({ fetched: FETCHED });
    await house.submit({ service: 'unheard-of' });
    await house.deliver();
    await house.clock.moveTo(house.clock.now + 500);
    const [task, other] = [await house.submit({ service: 'unknown' }), await house.submit({ service: 'fetched' })];
    await house.deliver();
    expect(await house.row(other.id)).toMatchObject({ status: 'succeeded' });
    await house.clock.moveTo(house.clock.now + 500);
    await house.submit({ service: 'unheard-of' });
    await house.deliver();
    await house.clock.moveTo(house.clock.now + 500);
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ status: 'deferred', reason: 'misconfigured', run: 1 });
  });

  it('has its time to call back, also where it became known while its task waited in a batch', async () => {
    house.services = servicesSchema(true).parse({ fetched: FETCHED });
    const flow = { name: flowName('alice', 'paced'), rate: 1, periodSeconds: 2 };
    await look();
    putService(house.registry, 'new', FETCHED);
    await house.submit({ service: 'fetched', request: { flow } });
    const task = await house.submit({ service: 'new', request: { flow } });
    house.backend.answer(task.id, accepted());
    const { known } = house.consumers.of(0);
    house.plan(house.clock.now + 1_000, async () => known.take(readCatalog(house.registry, known.version), Date.now()));
    let row: Awaited<ReturnType<House['row']>> | undefined;
    house.plan(house.clock.now + 5_000, async () => {
      row = await house.row(task.id);
    });
    await comeToRest(house);
    expect(row).toMatchObject({ run: 1, status: 'waiting', callback_timeout_ms: 600_000 });
  });

  it.each([0, 100, 500, 999, 1_500, 4_999])(
    'has its backend told of a cancellation, %i ms after the consumer asked for definitions',
    async (afterMs) => {
      house.services = servicesSchema(true).parse({ fetched: FETCHED });
      const task = await house.submit({ service: 'fetched' });
      house.backend.answer(task.id, accepted());
      await house.deliver();
      await house.clock.moveTo(house.clock.now + afterMs);
      putService(house.registry, 'fetched', { ...FETCHED, cancelPath: '/work/{id}' });
      expect(await house.cancel(task)).toMatchObject({ ok: true, status: 'cancelled' });
      await comeToRest(house);
      expect(house.backend.told).toEqual([task.id]);
    },
  );

  it.each([0, 100, 999, 4_999])(
    'has its backend told of a cancellation while its call runs, %i ms after the consumer asked for definitions',
    async (afterMs) => {
      putService(house.registry, 'fetched', FETCHED);
      await look();
      const task = await house.submit({ service: 'fetched' });
      house.backend.answer(task.id, house.backend.after(25_000, ok()));
      await house.clock.moveTo(house.clock.now + afterMs);
      putService(house.registry, 'fetched', { ...FETCHED, cancelPath: '/work/{id}' });
      house.plan(house.clock.now + 1_000, () => house.cancel(task));
      await comeToRest(house);
      expect(await house.row(task.id)).toMatchObject({ status: 'cancelled' });
      expect(house.backend.told).toEqual([task.id]);
    },
  );
});
