import { env } from 'cloudflare:workers';
import { describe, expect, it } from 'vitest';
import { ACCESS } from '../../../producer/access.ts';
import { claimsFault, signToken, type TokenClaims } from '../../../shared/auth/token.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { DECLINED_HEADER } from '../../../shared/sync/call.ts';
import { app, ask, aTask, documentIn, environment, idFor, queueStub } from '../client.ts';

const SERVICES = { echo: { baseUrl: 'http://backend.test' }, llm: { baseUrl: 'http://backend.test' } };
const setting = () => environment({ SERVICES, TASK_QUEUE_0: queueStub(), TASK_QUEUE_1: undefined });

const limited = (claims: Partial<TokenClaims>) =>
  signToken({ sub: 'alice', role: 'client', ...claims }, env.JWT_SECRET, 3600);

async function recorded(service: string): Promise<string> {
  const id = await idFor('alice');
  await recordAccepted(env.DB, [aTask(id, 'alice', { service })], Date.now());
  return id;
}

describe('a token that is limited to services', () => {
  it('submits to these alone, whichever way', async () => {
    const here = setting();
    const token = await limited({ services: ['echo'] });
    const submit = async (body: object) => (await ask(here, '/api/task', { token, body })).status;
    expect(await submit({ service: 'echo' })).toBe(202);
    expect(await submit({ service: 'llm' })).toBe(403);
    expect(await submit({ service: 'echo', fallback: ['llm'] })).toBe(403);
    const batch = { tasks: [{ service: 'llm' }, { service: 'echo' }, { service: 'echo', fallback: ['llm'] }] };
    const { results } = await documentIn(await ask(here, '/api/tasks/batch', { token, body: batch }));
    expect(results).toMatchObject([{ problem: { status: 403 } }, { status: 'queued' }, { problem: { status: 403 } }]);
    for (const path of ['/api/service/llm', '/api/service/llm/v1/chat'])
      expect((await ask(here, path, { token, method: 'POST' })).status).toBe(403);
  });

  it('sees and ends tasks of these alone, whose ever the others are', async () => {
    const here = setting();
    const token = await limited({ services: ['echo'] });
    const [mine, other] = [await recorded('echo'), await recorded('llm')];
    for (const [id, status] of [
      [mine, 200],
      [other, 404],
    ] as const) {
      expect((await ask(here, `/api/task/${id}`, { token })).status).toBe(status);
      expect((await ask(here, `/api/task/${id}/cancel`, { token, method: 'POST' })).status).toBe(status);
    }
    expect((await ask(here, `/api/task/${other}/events`, { token })).status).toBe(404);
    expect((await ask(here, `/api/task/${other}/retry`, { token, method: 'POST' })).status).toBe(404);
    const { tasks } = (await documentIn(await ask(here, '/api/tasks', { token }))) as { tasks: { service: string }[] };
    expect(new Set(tasks.map(({ service }) => service))).toEqual(new Set(['echo']));
    expect((await ask(here, '/api/tasks/count?service=llm', { token })).status).toBe(403);
  });

  it('says which service it lists, when it is limited to several', async () => {
    const token = await limited({ services: ['echo', 'llm'] });
    const refused = await ask(setting(), '/api/tasks', { token });
    expect([refused.status, (await documentIn(refused)).errors]).toMatchObject([400, [{ field: 'service' }]]);
    expect((await ask(setting(), '/api/tasks?service=llm', { token })).status).toBe(200);
  });

  it('registers servers that offer these alone', async () => {
    const token = await limited({ role: 'server', services: ['echo'] });
    const register = async (...names: string[]) => {
      const body = { url: 'http://backend.test/limited', services: names.map((name) => ({ name })) };
      return ask(environment(), '/api/servers', { token, body });
    };
    expect((await register('echo', 'llm')).status).toBe(403);
    const { id } = await documentIn(await register('echo'));
    const beat = (services: object[]) =>
      ask(environment(), `/api/servers/${id}/heartbeat`, { token, body: { status: 'healthy', services } });
    expect((await beat([{ name: 'llm' }])).status).toBe(403);
    expect((await beat([{ name: 'echo' }])).status).toBe(200);
  });

  it("speaks for its own subject's servers only, whatever its role", async () => {
    const token = await signToken({ sub: 'root', role: 'admin', services: ['echo'] }, env.JWT_SECRET, 3600);
    const { servers } = await documentIn(await ask(environment(), '/api/servers', { token }));
    expect(servers).toEqual([]);
  });

  const closed = [...ACCESS].flatMap(([row, access]) =>
    typeof access === 'object' && access.forLimited === undefined ? [row] : [],
  );

  it.each(closed)('gets no further than 403 at %s, which is about more', async (row) => {
    const [method = '', path = ''] = row.split(' ');
    const token = await limited({ role: 'admin', services: ['echo'] });
    const answer = await ask(setting(), path.replaceAll(/:\w+/g, '0'), { token, method });
    expect(answer.status).toBe(403);
  });
});

describe('a token that is limited to services is told of no other', () => {
  const backend = { baseUrl: 'http://backend.test' };
  const services = {
    echo: backend,
    'echo-too': { ...backend, fallback: ['payroll'] },
    payroll: { ...backend, perClient: { open: 1 } },
  };
  const declining = (why: string) => ({
    fetch: async () => new Response(null, { status: 503, headers: { [DECLINED_HEADER]: JSON.stringify({ why }) } }),
  });
  const REASONS = ['no-server', 'server-busy', 'paused', 'no-key', 'key-refused', 'misconfigured', 'unreachable'];
  const away = {
    listServices: () => Promise.reject(new Error('away')),
    readServices: () => Promise.reject(new Error('away')),
  };
  /** Of services that it may use, one of which does not exist, and names that are close to others. */
  const NAMES = ['echo', 'gone', 'payrol', 'Payroll'];
  const BODIES = (name: string) => [
    undefined,
    '{',
    { service: name, fallback: ['gone'] },
    { service: name, fallback: [name, 'echo-to'], servce: 1 },
    { tasks: [{ service: name }, { servce: name }, { service: name, fallback: ['gone', 'payrol'] }] },
    { filter: { service: name }, dryRun: true },
    { filter: { servise: name } },
    { url: 'http://backend.test/limited-too', services: [{ name }] },
    { status: 'healthy', services: [{ name }] },
  ];

  const open = [...ACCESS].flatMap(([row, access]) =>
    typeof access === 'object' && access.forLimited !== undefined ? [{ row, roles: Object.keys(access.roles) }] : [],
  );

  it.each(open)('at $row', async ({ row, roles }) => {
    const [method = '', path = ''] = row.split(' ');
    const told = new Set<string>();
    const ofSettings = async (overrides: object, prefer: string) => {
      const here = environment({ SERVICES: services, TASK_QUEUE_0: queueStub(), ...overrides });
      for (const role of roles as ('admin' | 'client')[]) {
        const token = await limited({ role, services: ['echo', 'echo-too', 'gone'] });
        for (const name of NAMES) {
          const target = path.replaceAll(/:\w+/g, name).replace('*', 'v1');
          const requests =
            method === 'GET'
              ? [{ at: target }, { at: `${target}?service=${name}` }]
              : BODIES(name).map((body) => ({ at: target, body }));
          for (const { at, ...body } of requests) {
            const sent = { ...body, token, method: method === 'ALL' ? 'POST' : method, headers: { prefer } };
            const text = await (await ask(here, at, sent)).text();
            if (text.includes('payroll')) told.add(text);
          }
        }
      }
    };
    await ofSettings({ REGISTRY: away }, 'respond-async');
    for (const why of row.startsWith('ALL') ? REASONS : ['no-server']) {
      await ofSettings({ SYNC_0: declining(why), SYNC_1: declining(why) }, 'wait=0');
    }
    expect([...told]).toEqual([]);
  });

  it.each(open)('nor whether there is one, at $row', async ({ row, roles: [role] }) => {
    const [method = '', path = ''] = row.split(' ');
    const token = await limited({ role: role as 'client', services: ['echo'] });
    const here = environment({ SERVICES: services, TASK_QUEUE_0: queueStub() });
    const answersTo = async (name: string) => {
      const target = path.replaceAll(/:\w+/g, name).replace('*', 'v1') + (method === 'GET' ? `?service=${name}` : '');
      const all: string[] = [];
      for (const body of method === 'GET' ? [undefined] : BODIES(name)) {
        const answer = await ask(here, target, { token, method: method === 'ALL' ? 'POST' : method, body });
        const text = (await answer.text()).replaceAll(name, 'NAME').replace(/"requestId":"[^"]*"/, '');
        all.push(`${answer.status} ${text}`);
      }
      return all;
    };
    expect(await answersTo('payroll')).toEqual(await answersTo('unheard-of'));
  });

  it('nor whether it has a quota, of which nothing is used up', async () => {
    const here = environment({ SERVICES: services, TASK_QUEUE_0: queueStub() });
    const token = await limited({ services: ['echo'] });
    const tasks = Array.from({ length: 3 }, () => ({ service: 'payroll' }));
    const { results } = await documentIn(await ask(here, '/api/tasks/batch', { token, body: { tasks } }));
    expect(results).toMatchObject(tasks.map(() => ({ problem: { type: '/docs/problems/forbidden' } })));
    expect((await ask(here, '/api/task', { body: { service: 'payroll' } })).status).toBe(202);
  });
});

describe('a token that is limited to reading', () => {
  const routes = app.routes.flatMap(({ method, path }) => {
    const access = ACCESS.get(`${method} ${path}`);
    return typeof access === 'object' ? [{ method, path, access }] : [];
  });

  it('reads what its role reads, and changes nothing, at every route', async () => {
    const token = await limited({ role: 'admin', read: true });
    const seen = new Map<string, number>();
    for (const { method, path } of routes) {
      const answer = await ask(environment(), path.replaceAll(/:\w+/g, '0').replace('*', 'x'), {
        token,
        method: method === 'ALL' ? 'GET' : method,
      });
      await answer.body?.cancel();
      seen.set(`${method} ${path}`, answer.status);
    }
    const refused = [...seen].filter(([, status]) => status === 403).map(([route]) => route);
    const showsSecret = new Set(routes.filter(({ access }) => access.showsSecret).map(({ path }) => `GET ${path}`));
    const isRead = (route: string) => route.startsWith('GET ') && !showsSecret.has(route);
    expect(refused.sort()).toEqual([...seen.keys()].filter((route) => !isRead(route)).sort());
  });
});

describe('limits that cannot be read', () => {
  it.each([{ services: [] }, { services: ['NO SUCH NAME'] }, { services: 'echo' }, { read: 'yes' }])(
    'make the token wrong, and are not made: %j',
    async (claims) => {
      const token = await limited(claims as Partial<TokenClaims>);
      expect((await ask(environment(), '/api/tasks', { token })).status).toBe(401);
      expect(claimsFault({ sub: 'alice', role: 'client', ...claims } as TokenClaims)).toMatch(/^(?:services|read)/);
    },
  );
});
