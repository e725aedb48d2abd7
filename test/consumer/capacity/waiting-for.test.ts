/** What polls say of how long a task waits in lines of each kind: for a place, in a flow, for a key. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { servicesSchema } from '../../../shared/service/definition.ts';
import { type Answer, ok, status } from '../../protocol/backend.ts';
import { START } from '../../protocol/clock.ts';
import { House } from '../../protocol/house.ts';
import type { Order } from '../../protocol/order.ts';
import type { Row } from '../../protocol/promises.ts';
import { comeToRest } from '../../protocol/rest.ts';
import { isOff, watchPolls } from './said-until.ts';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;
const TASKS = 100;

let house: House;
beforeEach(async () => {
  house = await House.open();
  house.watching = false;
});
afterEach(() => house.close());

/** Each key lets in ten calls in five seconds, silently, but for the first key: that is revoked. */
function keys(): Answer {
  const periods = new Map<string, { at: number; calls: number }>();
  return (call) => {
    const key = call.request.headers.get('authorization') ?? '';
    if (key.includes('first')) return status(401)(call);
    const now = Date.now();
    const known = periods.get(key);
    const period = known === undefined || now - known.at >= 5 * SECOND ? { at: now, calls: 0 } : known;
    periods.set(key, period);
    period.calls += 1;
    return period.calls <= 10 ? ok()(call) : status(429)(call);
  };
}

const LIMITED = servicesSchema(true).parse({ fetched: { baseUrl: 'http://backend.test', maxConcurrency: 4 } });
const flow = (limits: object): Order => ({
  service: 'fetched',
  request: { path: '/work', flow: { name: 'flow:alice/books', ...limits } },
});
const slow = () => house.backend.after(SECOND, ok());

describe('how long a task waits', () => {
  it('is said from when keys open again, before any call has ended and the pace is known', async () => {
    const opensAt = START + 20 * SECOND;
    const closed: Answer = (call) => status(429, { 'retry-after': String((opensAt - Date.now()) / SECOND) })(call);
    house.backend.fallback = (call) => (Date.now() < opensAt ? closed(call) : ok()(call));
    for (let task = 0; task < 20; task++) await house.submit({ service: 'keyed' });
    const said = watchPolls(house, 18);
    await comeToRest(house);
    expect(said.length).toBeGreaterThan(4);
    for (const { until = 0 } of said) expect(Math.abs(until - opensAt)).toBeLessThanOrEqual(SECOND);
  });

  const closedFor = (seconds: number, retryAfter: string) => {
    const opensAt = START + seconds * SECOND;
    const closed = status(429, { 'retry-after': retryAfter });
    house.backend.fallback = (call) => (Date.now() < opensAt ? closed : ok())(call);
  };

  it.each(['31536000', 'Fri, 01 Jan 2100 00:00:00 GMT'])(
    'is said as a day where keys were told %s, and is over when they are reset',
    async (told) => {
      closedFor(60, told);
      const tasks = await Promise.all(Array.from({ length: 20 }, () => house.submit({ service: 'keyed' })));
      const said = watchPolls(house, 50);
      house.plan(START + 61 * SECOND, async () => {
        const members = (await house.consumers.membersOf(0)) ?? [];
        for (const { number } of members) await house.keyPools[0]?.change(members, number, 'reset');
      });
      await comeToRest(house);
      expect(said.length).toBeGreaterThan(10);
      for (const { until = 0 } of said) expect(Math.abs(until - START - DAY)).toBeLessThanOrEqual(10 * SECOND);
      for (const { id } of tasks) {
        expect(house.backend.callsOf(id).at(-1)?.startedAt).toBeLessThan(START + 90 * SECOND);
        expect(await house.row(id)).toMatchObject({ status: 'succeeded' });
      }
    },
  );

  it.each(['-5', 'soon', '1000000000000', 'Thu, 01 Jan 1970 00:00:00 GMT'])(
    'is soon over where keys were told %s, which says nothing',
    async (told) => {
      closedFor(20, told);
      const tasks = await Promise.all(Array.from({ length: 20 }, () => house.submit({ service: 'keyed' })));
      await comeToRest(house);
      for (const { id } of tasks) {
        expect(house.backend.callsOf(id).at(-1)?.startedAt).toBeLessThan(START + 120 * SECOND);
        expect(await house.row(id)).toMatchObject({ status: 'succeeded' });
      }
    },
  );

  it('is said as a day of the task that a service without keys told a year; others try it after ten minutes', async () => {
    closedFor(60, '31536000');
    const told = await house.submit({ service: 'fetched' });
    const rows = new Map<string, Row>();
    let later: { readonly id: string } | undefined;
    house.plan(START + 10 * SECOND, async () => {
      rows.set('told', await house.row(told.id));
      later = await house.submit({ service: 'fetched' });
    });
    house.plan(START + 900 * SECOND, async () => rows.set('later', await house.row(later?.id ?? '')));
    await comeToRest(house);
    expect(rows.get('told')).toMatchObject({ status: 'deferred', parked_for: null });
    expect(rows.get('later')).toMatchObject({ status: 'succeeded' });
    expect(rows.get('told')?.next_at).toBeGreaterThan(START + DAY - SECOND);
  });

  it.each<{ line: string; order: Order; prepare: () => void }>([
    {
      line: 'for one of four places',
      order: { service: 'fetched' },
      prepare: () => {
        house.services = LIMITED;
        house.backend.fallback = slow();
      },
    },
    {
      line: 'for a place at one of two servers',
      order: { service: 'served' },
      prepare: () => {
        for (const name of ['a', 'b']) house.fleet.join(name, { maxConcurrency: 2 });
        house.backend.fallback = slow();
      },
    },
    { line: 'in a flow of four a second', order: flow({ rate: 4, periodSeconds: 1 }), prepare: () => undefined },
    {
      line: 'in a flow of four at a time',
      order: flow({ concurrency: 4 }),
      prepare: () => {
        house.backend.fallback = slow();
      },
    },
    {
      line: 'for a key of two, one of which is revoked',
      order: { service: 'keyed' },
      prepare: () => {
        house.backend.fallback = keys();
      },
    },
  ])('is said $line, once the pace is known', async ({ order, prepare }) => {
    prepare();
    for (let task = 0; task < TASKS; task++) await house.submit(order);
    const said = watchPolls(house, 40);
    await comeToRest(house, {
      batch: (letters) =>
        Array.from({ length: Math.ceil(letters.length / 10) }, (_, i) => letters.slice(i * 10, i * 10 + 10)),
    });
    const known = said.filter(({ until }) => until !== undefined);
    expect(known.length).toBeGreaterThan(said.length / 3);
    // Those before it wait where they are for up to five seconds, or a period begins.
    expect(known.filter((each) => isOff(house, each, 5 * SECOND))).toEqual([]);
  });
});
