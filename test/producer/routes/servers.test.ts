import { describe, expect, it, vi } from 'vitest';
import { ask, catchFailureLog, documentIn, environment, tokenFor } from '../client.ts';

catchFailureLog();

const here = environment();

for (const level of ['log', 'warn'] as const) vi.spyOn(console, level).mockReturnValue(undefined);

const farm = () => tokenFor('farm', 'server');
const rival = () => tokenFor('rival', 'server');
const root = () => tokenFor('root', 'admin');

async function register(url: string, fields: object = {}, token?: string): Promise<Response> {
  const body = { url, services: [{ name: 'ocr', path: '/ocr', version: '1.2.0' }], ...fields };
  return ask(here, '/api/servers', { body, token: token ?? (await farm()) });
}

async function registered(url: string, fields: object = {}): Promise<string> {
  const { id } = await documentIn(await register(url, fields));
  return String(id);
}

describe('registering a server', () => {
  it('answers with its id, its heartbeat, and who leads', async () => {
    const answer = await register('https://first.example.net', { wantsHeartbeatLeadership: true, cluster: 'a' });
    expect(answer.status).toBe(201);
    const document = await documentIn(answer);
    expect(document).toEqual({
      id: expect.stringMatching(/^srv_[0-9a-z]{16}$/),
      heartbeatIntervalSeconds: 30,
      isHeartbeatLeader: true,
      heartbeatLeaderUrl: null,
    });
    expect(answer.headers.get('location')).toBe(`/api/servers/${document.id}`);
    const second = await register('https://second.example.net', { cluster: 'a' });
    expect(await documentIn(second)).toMatchObject({
      isHeartbeatLeader: false,
      heartbeatLeaderUrl: 'https://first.example.net',
    });
  });

  it('again with the same URL is the same server', async () => {
    const id = await registered('https://twice.example.net');
    const again = await register('https://twice.example.net/', { weight: 3 });
    expect(again.status).toBe(200);
    expect(await documentIn(again)).toMatchObject({ id });
    expect(await documentIn(await ask(here, `/api/servers/${id}`, { token: await farm() }))).toMatchObject({
      weight: 3,
    });
  });

  it('names what is wrong', async () => {
    const wrong = await register('ftp://files.example.net', { weight: 0, sorcery: true });
    expect(wrong.status).toBe(400);
    const { errors } = await documentIn(wrong);
    expect(errors).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ field: '/url' }),
        expect.objectContaining({ field: '/weight' }),
        expect.objectContaining({ field: '/sorcery' }),
      ]),
    );
  });

  it('takes no private address in a deployment', async () => {
    const deployed = environment({ ALLOW_PRIVATE_TARGETS: 'false', SERVICES: {} });
    for (const url of ['https://10.0.0.1', 'https://localhost', 'http://ocr.example.net']) {
      const answer = await ask(deployed, '/api/servers', { body: { url }, token: await farm() });
      expect(answer.status, url).toBe(400);
      expect(await documentIn(answer)).toMatchObject({ errors: [{ field: '/url' }] });
    }
  });
});

describe('a server', () => {
  it('is shown with its services, in ISO times', async () => {
    const id = await registered('https://shown.example.net', { tier: 2, capabilities: { gpu: true } });
    const server = await documentIn(await ask(here, `/api/servers/${id}`, { token: await root() }));
    expect(server).toMatchObject({
      id,
      url: 'https://shown.example.net',
      owner: 'farm',
      state: 'healthy',
      tier: 2,
      capabilities: { gpu: true },
      services: [
        { name: 'ocr', baseUrl: 'https://shown.example.net/ocr', version: '1.2.0', circuit: { state: 'closed' } },
      ],
    });
    for (const time of ['registeredAt', 'lastHeardAt']) expect(server[time]).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it("is its owner's and the administrators', nobody else's", async () => {
    const id = await registered('https://owned.example.net');
    const asRival: [string, string, unknown?][] = [
      ['GET', ''],
      ['DELETE', ''],
      ['GET', '/metrics'],
      ['POST', '/heartbeat', {}],
      ['POST', '/leadership'],
      ['POST', '/maintenance', { enabled: true }],
    ];
    for (const [method, path, body] of asRival) {
      const answer = await ask(here, `/api/servers/${id}${path}`, { method, body, token: await rival() });
      expect(answer.status, `${method} ${path}`).toBe(404);
      expect(await documentIn(answer)).toMatchObject({ type: '/docs/problems/server-not-found' });
    }
    const urls = async (token: string) => {
      const { servers } = await documentIn(await ask(here, '/api/servers', { token }));
      return (servers as { url: string }[]).map(({ url }) => url);
    };
    expect(await urls(await farm())).toContain('https://owned.example.net');
    expect(await urls(await root())).toContain('https://owned.example.net');
    expect(await urls(await rival())).toEqual([]);
  });

  it('is gone when it was removed', async () => {
    const id = await registered('https://leaving.example.net');
    const answer = await ask(here, `/api/servers/${id}`, { method: 'DELETE', token: await farm() });
    expect(answer.status).toBe(204);
    expect((await ask(here, `/api/servers/${id}`, { token: await farm() })).status).toBe(404);
    const beat = await ask(here, `/api/servers/${id}/heartbeat`, { body: {}, token: await farm() });
    expect(beat.status).toBe(404);
  });

  it('drains, and is taken into use again', async () => {
    const id = await registered('https://drained.example.net');
    const maintain = async (enabled: boolean) =>
      documentIn(await ask(here, `/api/servers/${id}/maintenance`, { body: { enabled }, token: await farm() }));
    expect(await maintain(true)).toMatchObject({ id, state: 'drained' });
    expect(await maintain(false)).toMatchObject({ id, state: 'healthy' });
  });

  it('tells of its last minutes', async () => {
    const id = await registered('https://measured.example.net');
    const metrics = await documentIn(await ask(here, `/api/servers/${id}/metrics`, { token: await farm() }));
    expect(metrics).toMatchObject({ id, services: [{ name: 'ocr', calls: 0, failures: 0, inFlight: 0 }] });
    const stats = await documentIn(await ask(here, `/api/stats/servers/${id}`, { token: await root() }));
    expect(stats).toMatchObject({ server: { id, state: 'healthy' }, metrics });
    expect((await ask(here, '/api/stats/servers/srv_none', { token: await root() })).status).toBe(404);
  });
});

describe('heartbeats', () => {
  it('of a server may replace its services, and take it out of use', async () => {
    const id = await registered('https://beating.example.net');
    const body = { status: 'unhealthy', services: [{ name: 'pdf' }] };
    const answer = await ask(here, `/api/servers/${id}/heartbeat`, { body, token: await farm() });
    expect(answer.status).toBe(200);
    expect(await documentIn(answer)).toMatchObject({ heartbeatIntervalSeconds: 30, isHeartbeatLeader: false });
    const server = await documentIn(await ask(here, `/api/servers/${id}`, { token: await farm() }));
    expect(server).toMatchObject({ state: 'unhealthy', services: [{ name: 'pdf' }] });
  });

  it("of a cluster are its leader's", async () => {
    const lead = await registered('https://lead.example.net', { wantsHeartbeatLeadership: true, cluster: 'b' });
    const member = await registered('https://member.example.net', {
      cluster: 'b',
      agentUrl: 'https://agent.example.net',
    });
    const beat = async (leader: string, up: boolean) =>
      ask(here, '/api/servers/heartbeats', { body: { leader, members: [{ id: member, up }] }, token: await farm() });
    const answer = await beat(lead, false);
    expect(answer.status).toBe(200);
    expect(await documentIn(answer)).toMatchObject({
      isHeartbeatLeader: true,
      heartbeatLeaderUrl: null,
      members: [{ id: member, url: 'https://member.example.net', agentUrl: 'https://agent.example.net' }],
    });
    const down = await documentIn(await ask(here, `/api/servers/${member}`, { token: await farm() }));
    expect(down).toMatchObject({ state: 'unhealthy' });
    const refused = await beat(member, true);
    expect(refused.status).toBe(409);
    expect(await documentIn(refused)).toMatchObject({ type: '/docs/problems/not-heartbeat-leader' });
  });

  it('of a cluster whose leader lives stay with it when another asks to lead', async () => {
    await registered('https://chief.example.net', { wantsHeartbeatLeadership: true, cluster: 'c' });
    const other = await registered('https://other.example.net', { wantsHeartbeatLeadership: true, cluster: 'c' });
    const answer = await ask(here, `/api/servers/${other}/leadership`, { method: 'POST', token: await farm() });
    expect(await documentIn(answer)).toMatchObject({
      isHeartbeatLeader: false,
      heartbeatLeaderUrl: 'https://chief.example.net',
    });
  });
});

it('says that the registry does not answer, and what that means', async () => {
  const REGISTRY = {
    listServers: () => Promise.reject(new Error('no registry today')),
    readServices: async () => undefined,
  };
  const answer = await ask(environment({ REGISTRY }), '/api/servers', { token: await root() });
  expect(answer.status).toBe(503);
  expect(answer.headers.get('retry-after')).toBe('5');
});
