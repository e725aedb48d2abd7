import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { offerOf } from '../../../callback/registry/servers/server.ts';
import { putService } from '../../../callback/services/services.ts';
import type { NewTask } from '../../../shared/message/task-message.ts';
import { KNOWN_WITHIN_MS } from '../../../shared/service/known-services.ts';
import type { AttemptRecord } from '../../../shared/task/attempt.ts';
import { ok, refused, status } from '../../protocol/backend.ts';
import { START } from '../../protocol/clock.ts';
import { House } from '../../protocol/house.ts';
import { comeToRest } from '../../protocol/rest.ts';

let house: House;
/** Effects of the registry, in order. */
let asked: string[];
beforeEach(async () => {
  house = await House.open();
  asked = [];
  house.faults.latency = async (effect) => {
    if (/^registry\.(route|report)$/.test(effect)) asked.push(effect);
  };
});
afterEach(() => house.close());

const submit = (count: number, request = {}): Promise<NewTask[]> =>
  Promise.all(
    Array.from({ length: count }, () => house.submit({ service: 'served', request: { path: '/work', ...request } })),
  );
const hosts = () => house.backend.calls.map(({ request }) => new URL(request.url).host).sort();
const events = (name: string) =>
  house.printed.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ event }) => event === name);
const offer = (id: string) => offerOf(house.registry, id, 'served')!;
const historyOf = async ({ id }: NewTask) => JSON.parse((await house.row(id)).history) as AttemptRecord[];
const statuses = async () => (await house.rows()).map((row) => row.status);

describe('a batch of a service that lives on servers', () => {
  it('asks the registry once and reports once, and spreads over the servers', async () => {
    for (const name of ['one', 'two', 'three']) house.fleet.join(name);
    await submit(12);
    await house.deliver();
    expect(new Set(await statuses())).toEqual(new Set(['succeeded']));
    expect(hosts()).toEqual([
      ...Array(4).fill('one.test'),
      ...Array(4).fill('three.test'),
      ...Array(4).fill('two.test'),
    ]);
    expect(asked).toEqual(['registry.route', 'registry.report']);
    for (const { servers } of [house.registry]) for (const { inFlight } of servers.values()) expect(inFlight).toBe(0);
  });

  it('calls below the place of the service on its server, and names the server in the log', async () => {
    const id = house.fleet.join('one', { services: [{ name: 'served', path: '/base', port: 9000 }] });
    const [task] = await submit(1);
    await house.deliver();
    expect(house.backend.calls[0]?.request.url).toBe('http://one.test:9000/base/work');
    expect(events('task.attempted')).toMatchObject([{ id: task!.id, server: id, outcome: 'succeeded' }]);
  });

  it('sends a task to a server that it asks for', async () => {
    house.fleet.join('small');
    house.fleet.join('large', { tier: 2, capabilities: { gpu: true } });
    await submit(4, { requirements: { tier: 2, capabilities: { gpu: true } } });
    await house.deliver();
    expect(hosts()).toEqual(Array(4).fill('large.test'));
  });

  it('keeps in the batch what has a place in a moment, rather than deferring it', async () => {
    house.fleet.join('one', { maxConcurrency: 3 });
    house.backend.fallback = house.backend.after(30, ok());
    await submit(8);
    await house.deliver();
    expect(new Set(await statuses())).toEqual(new Set(['succeeded']));
    expect((await house.rows()).every(({ run, deferrals }) => run === 1 && deferrals === 0)).toBe(true);
    expect(asked.filter((effect) => effect === 'registry.route')).toHaveLength(2);
  });

  it('has what would have to wait longer stand in line, without an attempt', async () => {
    house.fleet.join('one', { maxConcurrency: 1 });
    house.backend.fallback = house.backend.after(20_000, ok());
    await submit(2);
    await house.deliver();
    const rows = await house.rows();
    expect(rows.map((row) => row.status).sort()).toEqual(['deferred', 'succeeded']);
    const waiting = rows.find((row) => row.status === 'deferred');
    expect(waiting).toMatchObject({ reason: 'server-busy', deferrals: 1, parked_for: 'service:served' });
    await comeToRest(house);
    expect(new Set(await statuses())).toEqual(new Set(['succeeded']));
  });

  it('brings places back before its slowest call has ended', async () => {
    const id = house.fleet.join('one');
    const [slow] = await submit(4);
    house.backend.answer(slow!.id, house.backend.after(20_000, ok()));
    house.backend.fallback = house.backend.after(2_000, ok());
    house.plan(START + 10_000, async () => expect(offer(id).inFlight).toBe(1));
    await comeToRest(house);
    expect(asked.filter((effect) => effect === 'registry.report')).toHaveLength(2);
  });
});

describe('a server that cannot be reached', () => {
  it('costs no attempt: its calls go to another one, and the registry hears of it', async () => {
    const [gone] = ['one', 'two'].map((name) => house.fleet.join(name));
    house.backend.refusing.add('one.test');
    const tasks = await submit(4);
    await house.deliver();
    for (const task of tasks) {
      expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1, failures: 0 });
    }
    expect(hosts()).toEqual(tasks.map(() => 'two.test'));
    expect(offer(gone!).circuit.failures).toBeGreaterThan(0);
  });

  it('keeps the attempt and waits when no other can be reached either; the record names the last', async () => {
    for (const name of ['one', 'two']) house.fleet.join(name);
    for (const host of ['one.test', 'two.test']) house.backend.refusing.add(host);
    const [task] = await submit(1);
    house.backend.answer(task!.id, refused());
    await house.deliver();
    expect(await house.row(task!.id)).toMatchObject({
      reason: 'unreachable',
      failures: 0,
      parked_for: 'service:served',
    });
    expect(await historyOf(task!)).toMatchObject([{ outcome: 'deferred', server: expect.stringMatching(/^srv_/) }]);
    expect(house.backend.calls).toHaveLength(1);
  });
});

describe('a server that breaks off without an answer', () => {
  it('may have read the request: no other server gets it in this attempt', async () => {
    for (const name of ['one', 'two']) house.fleet.join(name);
    const [task] = await submit(1);
    house.backend.answer(task!.id, refused());
    await house.deliver();
    expect(await house.row(task!.id)).toMatchObject({ status: 'retrying', failures: 1 });
    expect(house.backend.calls).toHaveLength(1);
  });
});

describe('a busy server', () => {
  it('rests as long as it said, and its task goes to another within seconds', async () => {
    const ids = ['one', 'two'].map((name) => house.fleet.join(name));
    const [task] = await submit(1);
    house.backend.answer(task!.id, status(503, { 'retry-after': '600' }));
    await comeToRest(house);
    const row = await house.row(task!.id);
    expect(row).toMatchObject({ status: 'succeeded', deferrals: 1, failures: 0 });
    expect(row.finished_at).toBeLessThan(START + 5_000);
    expect(new Set(hosts())).toEqual(new Set(['one.test', 'two.test']));
    expect(ids.map((id) => offer(id).busyUntil).sort()).toEqual([0, START + 600_000]);
  });

  it('is waited for when there is no other', async () => {
    house.fleet.join('one');
    const [task] = await submit(1);
    house.backend.answer(task!.id, status(429, { 'retry-after': '30' }));
    await house.deliver();
    const row = await house.row(task!.id);
    expect(row).toMatchObject({ status: 'deferred', reason: 'rate-limited' });
    expect(row.next_at).toBeGreaterThanOrEqual(START + 30_000);
    await comeToRest(house);
  });
});

describe('while the registry does not answer', () => {
  it('calls go to servers last known, and the log says so', async () => {
    house.fleet.join('one');
    await submit(1);
    await house.deliver();
    house.faults.always('registry', 'down');
    await submit(3);
    await house.deliver();
    expect(new Set(await statuses())).toEqual(new Set(['succeeded']));
    expect(events('registry.unavailable')).toMatchObject([{ tasks: 3 }]);
  });

  it('tasks wait a few seconds when no server is known, and lose nothing', async () => {
    house.faults.always('registry', 'down');
    const [task] = await submit(1);
    await house.deliver();
    const row = await house.row(task!.id);
    expect(row).toMatchObject({ status: 'deferred', reason: 'no-server', parked_for: null, deferrals: 1 });
    expect(row.next_at).toBeLessThanOrEqual(START + 10_000);
    house.fleet.join('one');
    house.faults.heal();
    await comeToRest(house);
    expect(await house.row(task!.id)).toMatchObject({ status: 'succeeded' });
  });

  it('a batch ends although nobody takes its report', async () => {
    house.fleet.join('one');
    house.faults.always('registry.report', 'down');
    const [task] = await submit(1);
    expect(await house.deliver()).toMatchObject({ kind: 'returned' });
    expect(await house.row(task!.id)).toMatchObject({ status: 'succeeded' });
    expect(events('registry.unreported')).toHaveLength(1);
  });
});

describe('limits of a service with a fixed target', () => {
  it('hold over all its calls, and the registry gives no server', async () => {
    house.fleet.object.change((registry) =>
      putService(registry, 'served', { baseUrl: 'http://fixed.test', maxConcurrency: 2 }),
    );
    house.backend.fallback = house.backend.after(100, ok());
    await submit(5);
    let most = 0;
    house.faults.latency = async () => {
      most = Math.max(most, house.backend.calls.filter(({ endedAt }) => endedAt === undefined).length);
    };
    await comeToRest(house);
    expect(new Set(await statuses())).toEqual(new Set(['succeeded']));
    expect(new Set(hosts())).toEqual(new Set(['fixed.test']));
    expect(most).toBeLessThanOrEqual(2);
  });
});

describe('short calls of a batch that have few places', () => {
  const TASKS = 10;

  /** With a mean of a second already known. */
  async function limitedTo(maxConcurrency: number): Promise<() => number> {
    house.fleet.object.change((registry) =>
      putService(registry, 'served', { baseUrl: 'http://fixed.test', maxConcurrency }),
    );
    house.backend.fallback = house.backend.after(1_000, ok());
    await submit(1);
    await house.deliver();
    await house.clock.moveTo(START + 10_000);
    asked = [];
    house.backend.mostAtOnce = 0;
    return () => asked.filter((effect) => effect === 'registry.route').length;
  }

  it('follow one another in them after one question, never more at a time', async () => {
    const questions = await limitedTo(2);
    await submit(TASKS);
    await house.deliver();
    expect(new Set(await statuses())).toEqual(new Set(['succeeded']));
    expect((await house.rows()).every(({ run }) => run === 1)).toBe(true);
    expect(house.backend.mostAtOnce).toBe(2);
    expect(questions()).toBe(1);
    const last = Math.max(...house.backend.calls.map(({ endedAt }) => endedAt ?? Number.POSITIVE_INFINITY));
    expect(last).toBe(START + 15_000);
    expect(house.registry.services.get('served')?.running.size).toBe(0);
  });

  it('ask for themselves when the call before them did not work', async () => {
    const questions = await limitedTo(2);
    const tasks = await submit(TASKS);
    for (const { id } of tasks.slice(0, 2)) house.backend.answer(id, status(500));
    await comeToRest(house);
    expect(new Set(await statuses())).toEqual(new Set(['succeeded']));
    expect(house.backend.mostAtOnce).toBe(2);
    expect(questions()).toBeGreaterThan(1);
  });

  it('look for another place when the call before them takes longer than they may wait', async () => {
    await limitedTo(2);
    const tasks = await submit(TASKS);
    house.backend.answer(tasks[0]!.id, house.backend.after(25_000, ok()));
    await comeToRest(house);
    const starts = tasks.slice(1).map(({ id }) => house.backend.callsOf(id)[0]!.startedAt);
    expect(Math.max(...starts)).toBeLessThan(START + 25_000);
    expect(house.backend.mostAtOnce).toBe(2);
    expect(new Set(await statuses())).toEqual(new Set(['succeeded']));
  });

  it('of a registered server go to that server', async () => {
    house.fleet.join('one', { maxConcurrency: 1 });
    house.backend.fallback = house.backend.after(1_000, ok());
    await submit(1);
    await house.deliver();
    await submit(4);
    await house.deliver();
    expect(hosts()).toEqual(Array(5).fill('one.test'));
    expect(asked.filter((effect) => effect === 'registry.route')).toHaveLength(2);
    expect(house.backend.mostAtOnce).toBe(1);
  });
});

describe('definitions that are put at run time', () => {
  it('reach a consumer with the first task of a name that it does not know', async () => {
    house.fleet.join('one', { services: [{ name: 'late' }] });
    await house.deliver();
    await house.clock.moveTo(START + 1_000);
    house.fleet.object.change((registry) => putService(registry, 'late', { path: '/defined-late' }));
    const task = await house.submit({ service: 'late', request: {} });
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.calls[0]?.request.url).toBe('http://one.test/defined-late');
  });
});

describe('a definition that has changed', () => {
  it('so that a fixed address has a limit holds for whatever begins after the time that its PUT said', async () => {
    house.backend.fallback = house.backend.after(1_000, ok());
    const many = async () => {
      for (let count = 0; count < 6; count++) await house.submit({ service: 'fetched' });
    };
    await many();
    await house.deliver();
    expect(house.backend.mostAtOnce).toBe(6);
    const limited = { baseUrl: 'http://backend.test', maxConcurrency: 2 };
    house.fleet.object.change((registry) => putService(registry, 'fetched', limited));
    await house.clock.moveTo(house.clock.now + KNOWN_WITHIN_MS);
    house.backend.mostAtOnce = 0;
    await many();
    await comeToRest(house);
    expect(house.backend.mostAtOnce).toBe(2);
  });

  it('is what the batch calls by that hears of it with its servers', async () => {
    house.fleet.join('one');
    await submit(1);
    await house.deliver();
    house.fleet.object.change((registry) => putService(registry, 'served', { path: '/moved' }));
    const task = await house.submit({ service: 'served', request: {} });
    await house.deliver();
    expect(await house.row(task.id)).toMatchObject({ status: 'succeeded', run: 1 });
    expect(house.backend.calls.at(-1)?.request.url).toBe('http://one.test/moved');
  });

  it('so that it needs a server now costs a moment, and no attempt', async () => {
    house.fleet.join('one', { services: [{ name: 'served' }, { name: 'fetched' }] });
    await submit(1);
    await house.deliver();
    house.fleet.object.change((registry) => putService(registry, 'fetched', {}));
    const moved = await house.submit({ service: 'fetched' });
    await submit(1);
    await house.deliver();
    expect(await house.row(moved.id)).toMatchObject({ status: 'deferred', reason: 'no-server', failures: 0 });
    await comeToRest(house);
    expect(await house.row(moved.id)).toMatchObject({ status: 'succeeded', run: 2 });
    expect(new URL(house.backend.callsOf(moved.id)[0]!.request.url).host).toBe('one.test');
  });
});
