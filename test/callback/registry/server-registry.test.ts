import { runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { readEnv } from '../../../callback/env.ts';
import type { ServerRegistry } from '../../../callback/registry/server-registry.ts';
import { answerClaims } from '../../../callback/runs/claim.ts';
import { settleAttempts } from '../../../callback/runs/settle.ts';
import { RegistrationSchema, SERVER_ID_PATTERN } from '../../../shared/registry/registration.ts';
import { newTasks } from '../../consumer/keys/consumer.ts';
import { alice, bob } from './fleet.ts';

const HOUR_MS = 3_600_000;

let objects = 0;
const newObject = () => env.SERVER_REGISTRY.getByName(`registry of test ${objects++}`);
type Stub = ReturnType<typeof newObject>;

const registrationOf = (name: string, more: Record<string, unknown> = {}) =>
  RegistrationSchema.parse({ url: `https://${name}.example.net`, services: [{ name: 'ocr' }], ...more });

async function add(registry: Stub, name: string, more: Record<string, unknown> = {}): Promise<string> {
  const answer = await registry.register(registrationOf(name, more), alice);
  if (!answer.ok) throw new Error(answer.detail);
  return answer.value.id;
}

let leases = 0;
const batchOf = (count: number, service = 'ocr') => {
  const leaseId = `block of the test ${leases++}`;
  const calls = Array.from({ length: count }, (_, index) => ({ id: `${leaseId}/${index}`, service, waits: 0 }));
  return { leaseId, expiresAt: Date.now() + 60_000, calls };
};

/** What is written to storage while `act` runs, alarms included. */
async function writesOf(registry: Stub, act: () => Promise<unknown>): Promise<{ rows: number; alarms: number }> {
  const counts = { rows: 0, alarms: 0 };
  const restores: (() => void)[] = [];
  await runInDurableObject(registry, (_instance: ServerRegistry, { storage }) => {
    const { sql } = storage;
    const exec = sql.exec.bind(sql);
    const rows = vi.spyOn(sql, 'exec').mockImplementation((query: string, ...values: unknown[]) => {
      const cursor = exec(query, ...values);
      counts.rows += cursor.rowsWritten;
      return cursor as never;
    });
    const setAlarm = storage.setAlarm.bind(storage);
    const alarms = vi.spyOn(storage, 'setAlarm').mockImplementation((...args) => {
      counts.alarms += 1;
      return setAlarm(...args);
    });
    restores.push(
      () => rows.mockRestore(),
      () => alarms.mockRestore(),
    );
  });
  await act();
  for (const restore of restores) restore();
  return counts;
}

/** The alarm rings, due or not; afterwards the object has looked for parked tasks of its first services. */
const ring = (registry: Stub) => runInDurableObject(registry, (instance: ServerRegistry) => instance.alarm());

/** As a deploy does it: nothing more is written. @returns the object as it is afterwards */
async function restarted(registry: Stub): Promise<Stub> {
  await expect(runInDurableObject(registry, (_instance, state) => state.abort('restarted'))).rejects.toThrow();
  return env.SERVER_REGISTRY.get(registry.id);
}

/** Lets time pass for the object: the clock of the isolate is its clock. */
function passTime(ms: number): void {
  const at = Date.now() + ms;
  vi.spyOn(Date, 'now').mockReturnValue(at);
}

afterEach(() => vi.restoreAllMocks());

describe("the registry's object", () => {
  it('registers once per URL, and only its owner may do it again', async () => {
    const registry = newObject();
    const first = await registry.register(registrationOf('a'), alice);
    expect(first).toMatchObject({ ok: true, value: { created: true, heartbeatIntervalSeconds: 30 } });
    const id = first.ok ? first.value.id : '';
    expect(id).toMatch(SERVER_ID_PATTERN);
    const again = await registry.register(registrationOf('A', { weight: 2 }), alice);
    expect(again).toMatchObject({ ok: true, value: { created: false, id } });
    expect(await registry.register(registrationOf('a'), bob)).toMatchObject({ ok: false, code: 'forbidden' });
    expect(await registry.getServer(id, bob)).toMatchObject({ ok: false, code: 'server-not-found' });
    expect(await registry.listServers(bob)).toEqual([]);
    expect(await registry.listServers({ subject: 'root', isAdmin: true })).toMatchObject([{ id, weight: 2 }]);
  });

  it('writes one row for a registration and none for heartbeats, calls and reports', async () => {
    const registry = newObject();
    const id = await add(registry, 'a');
    await ring(registry);
    expect(await writesOf(registry, () => add(registry, 'b'))).toEqual({ rows: 1, alarms: 0 });
    const quiet = await writesOf(registry, async () => {
      for (let beat = 0; beat < 20; beat++) await registry.heartbeat(id, { status: 'healthy' }, alice);
      const request = batchOf(16);
      const { decisions } = await registry.route(request);
      const reports = decisions.map((decision) => ({
        id: decision.id,
        service: 'ocr',
        outcome: 'answered' as const,
        durationMs: 10,
        ...(decision.is === 'routed' && decision.server && { server: decision.server.id }),
      }));
      await registry.reportCalls({ leaseId: request.leaseId, reports });
      await add(registry, 'b');
    });
    expect(quiet).toEqual({ rows: 0, alarms: 0 });
  });

  it('writes a snapshot of all servers after an hour', async () => {
    const registry = newObject();
    const id = await add(registry, 'a');
    await ring(registry);
    passTime(HOUR_MS - 60_000);
    const early = await writesOf(registry, () => registry.heartbeat(id, { status: 'healthy' }, alice));
    passTime(60_000);
    const late = await writesOf(registry, () => registry.heartbeat(id, { status: 'healthy' }, alice));
    expect([early.rows, late.rows]).toEqual([0, 1]);
  });

  it('knows after a restart who is there, who leads, who is drained and what was said of services', async () => {
    const registry = newObject();
    const leader = await add(registry, 'a', { wantsHeartbeatLeadership: true });
    const drained = await add(registry, 'b');
    await registry.setMaintenance(drained, true, alice);
    await registry.putService('late', { balancing: 'random' });
    await registry.setPaused('late', {});
    await registry.setBalancing('late', 'weighted');
    const before = await registry.listServers(alice);
    await ring(registry);
    passTime(10 * 60_000);
    const again = await restarted(registry);
    const after = await again.listServers(alice);
    // A server with contact has a grace.
    expect(after.map(({ state }) => state)).toEqual(['healthy', 'drained']);
    const lasting = (servers: typeof after) =>
      servers.map(({ lastHeardAt: _contact, nextCheckAt: _check, services, ...rest }) => [
        rest,
        services.map(({ name, baseUrl }) => [name, baseUrl]),
      ]);
    expect(lasting(after)).toEqual(lasting(before));
    expect(after.find(({ id }) => id === leader)).toMatchObject({ isHeartbeatLeader: true });
    expect(await again.readServices(0)).toEqual({
      version: 2,
      services: { late: { balancing: 'random' } },
      paused: ['late'],
      pausedUntil: {},
      limited: [],
      deleted: {},
    });
    expect(await again.listServices()).toContainEqual(
      expect.objectContaining({ name: 'late', source: 'api', balancing: 'weighted', paused: true }),
    );
  });

  it('knows after a restart which calls are under way where calls at a time are limited: two rows a batch', async () => {
    const registry = newObject();
    await registry.putService('narrow', { baseUrl: 'https://narrow.example.net', maxConcurrency: 3 });
    await registry.putService('wide', { baseUrl: 'https://wide.example.net', requestsPerSecond: 9 });
    const [request, wide] = [batchOf(2, 'narrow'), batchOf(2, 'wide')];
    const taken = await writesOf(registry, async () => {
      await registry.route(request);
      await registry.route(request);
      await registry.route(wide);
    });
    expect(taken).toEqual({ rows: 1, alarms: 0 });
    const again = await restarted(registry);
    const { decisions } = await again.route(batchOf(2, 'narrow'));
    expect(decisions.map(({ is }) => is)).toEqual(['routed', 'waiting']);
    const reports = request.calls.map(({ id, service }) => ({
      id,
      service,
      outcome: 'answered' as const,
      durationMs: 10,
    }));
    await ring(again);
    const released = await writesOf(again, () => again.reportCalls({ leaseId: request.leaseId, reports }));
    expect(released).toEqual({ rows: 1, alarms: 0 });
    expect((await (await restarted(again)).route(batchOf(3, 'narrow'))).decisions.map(({ is }) => is)).toEqual([
      'routed',
      'routed',
      'waiting',
    ]);
  });

  it('releases parked tasks by its alarm as soon as a server is there', async () => {
    const registry = newObject();
    await registry.putService('late', {});
    const callback = await readEnv(env);
    const ids: string[] = [];
    for (const message of await newTasks(3, 'late')) {
      if (message.kind !== 'task') continue;
      const { id, request, ...task } = message.task;
      const claim = { id, leaseMs: 60_000, task: { ...task, request: JSON.stringify(request) } };
      const [grant] = await answerClaims(callback, { nonce: crypto.randomUUID(), claims: [claim] }, Date.now());
      if (!grant?.granted) throw new Error('a new task is granted');
      const { decisions } = await registry.route(batchOf(1, 'late'));
      expect(decisions).toMatchObject([{ why: 'no-server', line: expect.stringContaining('service:') }]);
      const { state } = grant;
      const reason = 'no-server' as const;
      const event = { type: 'defer' as const, at: Date.now(), run: state.run, reason, delayMs: 300_000 };
      await settleAttempts(callback, [{ id, state, event: { ...event, park: { line: 'service:late' } } }], Date.now());
      ids.push(id);
    }
    const parked = async () => {
      const query = env.DB.prepare(
        'SELECT id FROM tasks WHERE released_at IS NULL AND parked_for IS NOT NULL ORDER BY id',
      );
      return (await query.all<{ id: string }>()).results.map(({ id }) => id);
    };
    expect(await parked()).toEqual(ids.sort());
    await add(registry, 'a', { services: [{ name: 'late' }] });
    await vi.waitFor(async () => expect(await parked()).toEqual([]), 5_000);
  });

  it('frees the places of a crashed consumer for whoever asks, so that its server drains', async () => {
    const registry = newObject();
    const id = await add(registry, 'a');
    await registry.route(batchOf(1));
    await registry.setMaintenance(id, true, alice);
    expect(await registry.getServer(id, alice)).toMatchObject({ value: { state: 'draining', inFlight: 1 } });
    passTime(61_000);
    expect(await registry.getServer(id, alice)).toMatchObject({ value: { state: 'drained', inFlight: 0 } });
  });

  it('has one leader when two servers claim the lead at the same moment', async () => {
    const registry = newObject();
    const ids = [await add(registry, 'a'), await add(registry, 'b')];
    const claims = await Promise.all(ids.map((id) => registry.claimLeadership(id, alice)));
    expect(claims.map((claim) => claim.ok && claim.value.isHeartbeatLeader).sort()).toEqual([false, true]);
  });

  it('checks the health of a server that nobody speaks for, by its alarm', async () => {
    const registry = newObject();
    const id = await add(registry, 'a', { services: [{ name: 'ocr', path: '/v1', healthPath: '/ping' }] });
    const asked: string[] = [];
    let status = 204;
    vi.spyOn(globalThis, 'fetch').mockImplementation(async (input) => {
      asked.push(String(input));
      return new Response(null, { status });
    });
    const stateOf = async () => {
      const answer = await registry.getServer(id, alice);
      return answer.ok ? answer.value : undefined;
    };
    await ring(registry);
    expect(asked).toEqual([]);
    passTime(20_000);
    await ring(registry);
    await vi.waitFor(() => expect(asked).toEqual(['https://a.example.net/v1/ping']));
    status = 503;
    for (const ms of [30_000, 15_000]) {
      passTime(ms);
      await ring(registry);
      await vi.waitFor(async () => expect((await stateOf())?.nextCheckAt).toBe(Date.now() + 15_000));
    }
    const unhealthy = await stateOf();
    expect(unhealthy?.services[0]).toMatchObject({ healthy: false, why: expect.stringContaining('answered 503') });
    expect((await registry.route(batchOf(1))).decisions).toMatchObject([
      { why: 'no-server', line: expect.stringContaining('service:') },
    ]);
  });
});
