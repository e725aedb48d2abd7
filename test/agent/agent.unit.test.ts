/** The shell of the agent over real sockets: what it does beside its core's decisions. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Agent, RefusedAtStart } from '../../agent/agent.ts';
import { parseConfig } from '../../agent/config.ts';
import { Coordinator } from '../../agent/coordinator.ts';
import type { AgentEvent } from '../../agent/event.ts';
import { MEMBER_HEADER } from '../../agent/member-probe.ts';
import { type FakeAnswer, FakeCoordinator } from './fake-coordinator.ts';

const ID = 'srv_0123456789abcdef';
const WORD = { heartbeatIntervalSeconds: 0.4, isHeartbeatLeader: false, heartbeatLeaderUrl: 'http://leader' };
const ANSWERS: Readonly<Record<string, FakeAnswer>> = {
  'POST /api/servers': { status: 201, body: { id: ID, ...WORD } },
  'POST /api/servers/:id/heartbeat': { status: 200, body: WORD },
  'POST /api/servers/:id/leadership': { status: 200, body: WORD },
  'POST /api/servers/:id/maintenance': { status: 200, body: { state: 'drained' } },
  'GET /api/servers/:id': { status: 200, body: { state: 'healthy' } },
  'DELETE /api/servers/:id': { status: 204 },
};

let fake: FakeCoordinator;
let service: Server;
let health: { status: number; version: string };
let events: AgentEvent[];
let running: Promise<void> | undefined;
let agent: Agent;

beforeEach(async () => {
  fake = new FakeCoordinator();
  fake.answer = (route) => ANSWERS[route] ?? { status: 404 };
  await fake.start();
  health = { status: 200, version: '1.0.0' };
  service = createServer((_request, response) => response.writeHead(health.status).end(JSON.stringify(health)));
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  events = [];
});
afterEach(async () => {
  agent.stop();
  await running?.catch(() => {});
  await fake.stop();
  service.close();
});

function start(more: Record<string, unknown> = {}): void {
  const localUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
  const file = {
    coordinator: fake.url,
    url: 'http://127.0.0.1:1',
    services: [{ name: 'ocr', localUrl, version: { json: 'version' } }],
    detectSeconds: 0.1,
    ...more,
  };
  const result = parseConfig(JSON.stringify(file), {});
  if (!result.ok) throw new Error(result.problems.join());
  agent = new Agent(result.config, new Coordinator(fake.url, 'token'), (event) => events.push(event));
  running = agent.run();
}

async function until(isSo: () => boolean): Promise<void> {
  for (let look = 0; look < 600 && !isSo(); look++) await new Promise((resolve) => setTimeout(resolve, 25));
  expect(isSo(), `did not come: ${JSON.stringify(events)} ${fake.routes}`).toBe(true);
}

const told = (event: AgentEvent['event']) => events.filter((each) => each.event === event);
const registrations = () => fake.seen.filter(({ method, path }) => method === 'POST' && path === '/api/servers');

describe('a running agent', () => {
  it('registers what answers, with its version, and again when the version changes or the service goes', async () => {
    start();
    await until(() => told('registered').length === 1);
    health.version = '1.1.0';
    await until(() => registrations().length === 2);
    health.status = 503;
    await until(() => registrations().length === 3);
    const services = registrations().map(({ body }) => (body as { services: { version?: string }[] }).services);
    expect(services.map((all) => all.map(({ version }) => version))).toEqual([['1.0.0'], ['1.1.0'], []]);
  });

  it('says so when its server is in maintenance already', async () => {
    fake.answer = (route) =>
      route === 'GET /api/servers/:id'
        ? { status: 200, body: { state: 'drained' } }
        : (ANSWERS[route] ?? { status: 404 });
    start();
    await until(() => told('in-maintenance').length === 1);
  });

  it('outlives the coordinator: one line when it is lost, one when it is back, and registers when it was forgotten', async () => {
    start();
    await until(() => fake.routes.includes('POST /api/servers/:id/heartbeat'));
    await fake.stop();
    await until(() => told('coordinator-lost').length === 1);
    // Long enough for several tries, of which one is told.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    fake.answer = (route) =>
      route.endsWith('heartbeat') && registrations().length === 1
        ? { status: 404 }
        : (ANSWERS[route] ?? { status: 404 });
    await fake.start();
    await until(() => registrations().length === 2);
    expect(events.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['coordinator-lost', 'coordinator-back', 'forgotten', 'registered']),
    );
    expect(told('coordinator-lost')).toHaveLength(1);
    expect(told('coordinator-back')).toHaveLength(1);
  });

  it('drains, deregisters and ends when it is told to stop', async () => {
    start();
    await until(() => told('registered').length === 1);
    agent.stop();
    await running;
    expect(fake.routes.slice(-2)).toEqual(['POST /api/servers/:id/maintenance', 'DELETE /api/servers/:id']);
    expect(events.at(-1)).toEqual({ event: 'stopped', registered: false });
  });

  it('ends when it is told to stop, also when nobody is there to tell', async () => {
    start();
    await until(() => told('registered').length === 1);
    await fake.stop();
    await until(() => told('coordinator-lost').length === 1);
    agent.stop();
    await running;
    expect(events.at(-1)).toEqual({ event: 'stopped', registered: true });
  });

  it('ends at once when its first registration is refused', async () => {
    fake.answer = () => ({ status: 403, body: { detail: 'The role client may not register.' } });
    start();
    await expect(running).rejects.toThrow(RefusedAtStart);
    await expect(running).rejects.toThrow('The role client may not register');
  });

  it('takes a probe that names it for a probe, and another for a question', async () => {
    start({ listen: { port: 0, host: '127.0.0.1' } });
    await until(() => told('registered').length === 1);
    const [begun] = told('started');
    const agentUrl = begun?.event === 'started' ? String(begun.agentUrl) : '';
    expect(registrations()[0]?.body).toMatchObject({ agentUrl, wantsHeartbeatLeadership: true });
    const probe = (id?: string) => fetch(agentUrl, { headers: id === undefined ? {} : { [MEMBER_HEADER]: id } });
    expect((await probe('srv_another0another0')).status).toBe(404);
    expect(await (await probe()).json()).toMatchObject({
      registered: true,
      services: [{ name: 'ocr', version: '1.0.0' }],
    });

    // Probed, it sends nothing; unprobed, it asks to lead, and speaks for itself when it may not.
    const sentWhileProbed = async () => {
      const before = fake.seen.length;
      for (let look = 0; look < 15; look++) {
        expect((await probe(ID)).status).toBe(200);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return fake.seen.length - before;
    };
    // Once more where the machine stood still between two probes.
    await expect.poll(sentWhileProbed, { timeout: 15_000 }).toBe(0);
    await until(() => fake.routes.includes('POST /api/servers/:id/leadership'));
    await until(() => fake.routes.includes('POST /api/servers/:id/heartbeat'));
  });
});
