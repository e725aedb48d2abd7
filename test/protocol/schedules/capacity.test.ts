/**
 * Limits hold while the registry is late, answers are lost or a provider names odd times. Rows of the table in
 * `docs/protocol.md`.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { flowName } from '../../../shared/flow/flow.ts';
import type { NewTask } from '../../../shared/message/task-message.ts';
import { servicesSchema } from '../../../shared/service/definition.ts';
import { ok, status } from '../backend.ts';
import { DAY_MS, START } from '../clock.ts';
import { House } from '../house.ts';
import { comeToRest } from '../rest.ts';

let house: House;
beforeEach(async () => {
  house = await House.open();
});
afterEach(() => house.close());

describe('the registry answers after its caller gave up', () => {
  const LIMIT = 5;
  /** Its answers take longer than a batch waits for them. */
  const LATE_MS = 4_500;

  it('never more calls run than the limit lets, and no place stays taken', async () => {
    const limited = { fetched: { baseUrl: 'http://backend.test', maxConcurrency: LIMIT } };
    house.services = servicesSchema(true).parse(limited);
    const tasks: NewTask[] = [];
    for (let count = 0; count < 20; count++) tasks.push(await house.submit({ service: 'fetched' }));
    house.backend.fallback = house.backend.after(1_000, ok());
    let late = 3;
    house.faults.latency = async (effect) => {
      if (effect === 'registry.route answer' && late-- > 0) await house.clock.sleep(LATE_MS);
    };
    await comeToRest(house);
    for (const { id } of tasks) expect(await house.row(id)).toMatchObject({ status: 'succeeded', failures: 0 });
    expect(house.backend.mostAtOnce).toBe(LIMIT);
    // No place was held by nobody until the leases ended.
    const last = Math.max(...house.backend.calls.map(({ startedAt }) => startedAt));
    expect(last).toBeLessThan(START + 30_000);
    expect(house.registry.leases.size).toBe(0);
  });

  it.each([8_000, 70_000])('no place is taken by a question that comes %d ms after it', async (lateMs) => {
    house.services = servicesSchema(true).parse({ fetched: { baseUrl: 'http://backend.test', maxConcurrency: LIMIT } });
    const task = await house.submit({ service: 'fetched' });
    house.lateMs = () => lateMs;
    for (const nth of [1, 2]) house.faults.once('registry.route', 'late', nth);
    await comeToRest(house);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', failures: 0 });
    expect(house.log.join()).toContain('late: registry.route');
    expect(house.registry.leases.size).toBe(0);
  });
});

describe('a giving back that is slow', () => {
  it('ends the lease when it comes, although its caller has gone', async () => {
    house.services = servicesSchema(true).parse({ fetched: { baseUrl: 'http://backend.test', maxConcurrency: 1 } });
    const task = await house.submit({ service: 'fetched' });
    house.faults.latency = async (effect) => {
      if (effect === 'registry.report') await house.clock.sleep(30_000);
    };
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded' });
    expect(house.registry.leases.size).toBe(1);
    await house.clock.moveTo(START + 40_000);
    expect(house.registry.leases.size).toBe(0);
    expect(house.violations).toEqual([]);
  });
});

describe('a long call ends while the registry is late to count it', () => {
  it('no place is taken for it', async () => {
    const task = await house.submit({ service: 'fetched' });
    house.backend.answer(task.id, house.backend.after(2_700, ok()));
    let late = 1;
    house.faults.latency = async (effect) => {
      if (effect === 'registry.route' && late-- > 0) await house.clock.sleep(30_000);
    };
    await house.deliver();
    expect(late).toBeLessThan(0);
    expect(house.registry.leases.size).toBe(0);
    await house.clock.moveTo(START + 40_000);
    expect(house.registry.leases.size).toBe(0);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.violations).toEqual([]);
  });
});

describe('a key lease repeated after a lost answer', () => {
  it('is the same lease: no call is counted twice, and all are given back', async () => {
    house.services = servicesSchema(true).parse({
      keyed: { baseUrl: 'http://backend.test', keyPool: 'default', keyLimits: { concurrency: 4 } },
    });
    const tasks: NewTask[] = [];
    for (let round = 0; round < 3; round++) {
      for (let count = 0; count < 8; count++) tasks.push(await house.submit({ service: 'keyed' }));
      house.faults.once('keys.lease', 'lost-answer');
      await comeToRest(house);
    }
    for (const { id } of tasks) expect(await house.row(id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect((await house.keys()).map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });

  it('is over once its calls have ended, or nobody asks for it any more: a question that comes later gets no key', async () => {
    const [quick, dropped] = [await house.submit({ service: 'keyed' }), await house.submit({ service: 'keyed' })];
    const [first, second] = house.ready();
    // The first is asked for again at once; of the second the pool hears nothing until it was given up.
    house.faults.once('keys.lease', 'late');
    await house.deliver([first!]);
    for (const nth of [1, 2, 3]) house.faults.once('keys.lease', 'late', nth);
    await house.deliver([second!]);
    await comeToRest(house);
    for (const { id } of [quick, dropped])
      expect(await house.row(id)).toMatchObject({ status: 'succeeded', failures: 0 });
    expect(house.log.filter((line) => line.includes('late: keys.lease'))).toHaveLength(4);
    expect((await house.keys()).map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });
});

describe('a question comes when nobody waits for its answer any more', () => {
  /** Well within the lease that it names. */
  const LATE_MS = 20_000;
  const lent = async () => [
    house.registry.leases.size,
    (await house.keys()).reduce((sum, { inFlight }) => sum + inFlight, 0),
  ];
  const seen: number[][] = [];
  beforeEach(() => {
    seen.length = 0;
    house.services = servicesSchema(true).parse({
      keyed: { baseUrl: 'http://backend.test', keyPool: 'default' },
      fetched: { baseUrl: 'http://backend.test', maxConcurrency: 1 },
    });
  });

  it.each([
    ['keys.lease', 'keyed', 3],
    ['registry.route', 'fetched', 2],
  ])('nothing is lent by who was restarted, and knows nothing of the lease: %s', async (question, service, times) => {
    const task = await house.submit({ service });
    house.lateMs = () => LATE_MS;
    for (let nth = 1; nth <= times; nth++) house.faults.once(question, 'late', nth);
    house.plan(START + LATE_MS - 5_000, async () => {
      house.restartKeyPool();
      house.restartRegistry();
    });
    house.plan(START + LATE_MS + 2_000, async () => void seen.push(await lent()));
    await comeToRest(house);
    expect(house.log.filter((line) => line.includes(`late: ${question}`))).toHaveLength(times);
    expect(seen).toEqual([[0, 0]]);
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', failures: 0 });
  });
});

describe('a deploy while calls are under way', () => {
  it('gives keys other numbers: what comes back to a key under its old number is given back', async () => {
    const [FIRST, SECOND] = ['sk-first-0123456789', 'sk-second-0123456789'];
    house.backend.fallback = house.backend.after(5_000, ok());
    await house.submit({ service: 'keyed' });
    await house.submit({ service: 'keyed' });
    house.plan(START + 2_000, async () => {
      house.consumers.deploy({ keys: [{ KEY1: SECOND, KEY2: FIRST }] });
      await house.submit({ service: 'keyed' });
    });
    await comeToRest(house);
    expect(house.backend.calls).toHaveLength(3);
    expect((await house.keys()).map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });
});

describe('a reset time years away', () => {
  const YEARS = String(20 * 365 * 86_400);
  const used = { 'x-ratelimit-limit-requests': '9', 'x-ratelimit-remaining-requests': '0' };

  it('closes a key for a day at most, and it says so', async () => {
    const task = await house.submit({ service: 'keyed' });
    const answer = status(429, { 'retry-after': YEARS });
    house.backend.answer(task.id, answer, answer);
    await house.deliver();
    for (const key of await house.keys()) expect(key).toMatchObject({ state: 'cooling', until: START + DAY_MS });
  });

  it('beside an answer keeps nobody from the key after a day', async () => {
    const task = await house.submit({ service: 'keyed', deadlineMs: 4 * DAY_MS });
    const answer = status(429, { ...used, 'x-ratelimit-reset-requests': `${YEARS}s` });
    house.backend.answer(task.id, answer, answer);
    await comeToRest(house);
    const row = await house.row(task.id);
    expect(row.status).toBe('succeeded');
    expect(row.finished_at).toBeLessThanOrEqual(START + 1.1 * DAY_MS);
    // A day in steps takes a busy machine a while.
  }, 60_000);
});

describe('the registry restarts under calls that a limit counts', () => {
  const CALL_MS = 20_000;
  const flow = { name: flowName('alice', 'narrow'), concurrency: 1 };
  beforeEach(() => {
    house.services = servicesSchema(true).parse({
      fetched: { baseUrl: 'http://backend.test' },
      narrow: { baseUrl: 'http://backend.test', maxConcurrency: 1 },
    });
    house.backend.fallback = house.backend.after(CALL_MS, ok());
  });

  it.each([
    ['a flow', { service: 'fetched', request: { path: '/work', flow } }],
    ['a service', { service: 'narrow' }],
  ])('they are under way afterwards: never more calls of %s run than it lets', async (_of, order) => {
    for (const atMs of [0, 2_000, 4_000]) house.plan(START + atMs, () => house.submit(order));
    // The first call is under way at each, and the second was asked for before the last.
    for (const atMs of [1_000, 3_000]) house.plan(START + atMs, async () => house.restartRegistry());
    await comeToRest(house);
    expect((await house.rows()).map(({ status, run }) => ({ status, run }))).toEqual(
      Array(3).fill({ status: 'succeeded', run: expect.any(Number) }),
    );
    expect(house.backend.calls).toHaveLength(3);
    expect(house.backend.mostAtOnce).toBe(1);
    expect(house.registry.leases.size).toBe(0);
  });
});
