import { describe, expect, it } from 'vitest';
import { ACCESS } from '../../producer/access.ts';
import { createApp } from '../../producer/api.ts';
import { ROLES } from '../../shared/auth/role.ts';
import { MAX_TOKEN_LIFETIME_SECONDS } from '../../shared/auth/token.ts';
import {
  app,
  ask,
  callbackStub,
  catchFailureLog,
  documentIn,
  environment,
  idFor,
  noDatabase,
  tokenFor,
} from './client.ts';

const failureLog = catchFailureLog();

const ID = `tsk_${'0'.repeat(32)}`;

/** Addresses of the routes, with something in the place of each parameter. */
function addressOf(path: string): string {
  const values: Record<string, string> = {
    id: path.includes('task') ? ID : 'srv_0000000000000000',
    name: 'ocr',
    part: '1',
  };
  return path.replace(/:(\w+)/g, (_, name: string) => values[name] ?? '0').replace('*', 'v1/read');
}

const ROWS = [...ACCESS]
  .map(([row, access]) => {
    const [method = '', path = ''] = row.split(' ');
    return { row, method: method === 'ALL' ? 'POST' : method, path: addressOf(path), access };
  })
  // The pages need texts that only the bundler brings.
  .filter(({ path }) => path !== '/' && !/^\/(?:docs(?!\/problems)|dashboard)/.test(path));

const BY_ROLE = ROWS.flatMap(({ access, ...row }) => (typeof access === 'string' ? [] : [{ ...row, access }]));

describe('the access table', () => {
  it('has a row for every route, and a route for every row', () => {
    const routed = new Set(app.routes.map(({ method, path }) => `${method} ${path}`));
    routed.delete('ALL /*');
    expect(new Set(ROWS.map(({ row }) => row))).toEqual(routed);
  });

  it('keeps an app with a route that has no row from starting', () => {
    const start = () => createApp((more) => more.get('/api/secrets', (c) => c.text('all of them')));
    expect(start).toThrow('producer/access.ts has no row for GET /api/secrets');
  });

  it('says of every role what it may do', () => {
    const named = new Set(BY_ROLE.flatMap(({ access }) => Object.keys(access.roles)));
    expect([...named].sort()).toEqual([...ROLES].sort());
  });

  it('lets a viewer read everything but secrets, and change nothing', () => {
    for (const { method, row, access } of BY_ROLE) {
      expect('viewer' in access.roles, row).toBe(method === 'GET' && access.showsSecret !== true);
    }
  });

  it('lets an admin do whatever a token can be for, and a client nothing that belongs to servers or administrators', () => {
    for (const { row, access } of BY_ROLE) expect('admin' in access.roles, row).toBe(true);
    const ofClients = BY_ROLE.filter(({ access }) => 'client' in access.roles).map(({ row }) => row);
    expect(
      ofClients.filter((row) =>
        /servers|stats|keys|tokens|services\/:name\/(?:pause|resume)|PUT \/api\/services|DELETE \/api\/services/.test(
          row,
        ),
      ),
    ).toEqual([]);
    const ofServers = BY_ROLE.filter(({ access }) => 'server' in access.roles).map(({ row }) => row);
    expect(ofServers.filter((row) => !row.includes(' /api/servers'))).toEqual([]);
  });
});

describe('every address that is not open', () => {
  it.each(ROWS.filter(({ access }) => access === 'signed'))('$row asks for a signature', async ({ method, path }) => {
    const isInParts = /parts|complete/.test(path);
    const terms = method === 'GET' ? '' : `&bytes=4${isInParts ? '&upload=u' : ''}`;
    const body =
      { GET: undefined, PUT: 'body' }[method] ?? (method === 'POST' ? { parts: [{ part: 1, etag: 'e' }] } : undefined);
    const answer = await ask(environment({ TASK_DB_0: noDatabase }), `${path}?expires=4000000000&signature=0${terms}`, {
      method,
      body,
      token: undefined,
    });
    expect(answer.status).toBe(403);
    expect(await documentIn(answer)).toMatchObject({ type: '/docs/problems/link-not-valid' });
  });

  it.each(ROWS.filter(({ access }) => access !== 'open' && access !== 'signed'))(
    '$row asks for a token',
    async ({ method, path }) => {
      const answer = await ask(environment({ TASK_DB_0: noDatabase }), path, { method, token: undefined });
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="tasklane"');
      expect(answer.headers.get('content-type')).toBe('application/problem+json');
    },
  );

  it.each(BY_ROLE)('$row refuses a forged token', async ({ method, path }) => {
    const answer = await ask(environment({ TASK_DB_0: noDatabase }), path, { method, token: 'a.b.c' });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toContain('invalid_token');
  });

  for (const role of ROLES) {
    it.each(BY_ROLE)(`$row answers the role ${role} as its row says`, async ({ method, path, access }) => {
      const answer = await ask(environment(), path, { method, token: await tokenFor('somebody', role) });
      if (role in access.roles) expect([401, 403]).not.toContain(answer.status);
      else expect(answer.status).toBe(403);
      expect(answer.status).not.toBe(500);
    });
  }
});

describe('revoking a token', () => {
  it('ends the token at once here, and elsewhere with the next reading', async () => {
    const here = environment();
    const token = await tokenFor('alice', 'client', 'laptop');
    expect((await ask(here, '/api/tasks', { token })).status).toBe(200);
    const admin = await tokenFor('root', 'admin');
    const revoked = await ask(here, '/api/tokens/revoke', { body: { jti: 'laptop' }, token: admin });
    expect(await documentIn(revoked)).toMatchObject({ jti: 'laptop', expiresAt: expect.any(String) });
    expect((await ask(here, '/api/tasks', { token })).status).toBe(401);
    expect((await ask(environment(), '/api/tasks', { token })).status).toBe(401);
  });

  it('lasts as long as any token can be good, whatever is said of its end', async () => {
    const admin = await tokenFor('root', 'admin');
    const here = environment();
    const soon = new Date(Date.now() + 36_000).toISOString();
    const revoked = await ask(here, '/api/tokens/revoke', { body: { jti: 'tablet', expiresAt: soon }, token: admin });
    const { expiresAt } = await documentIn(revoked);
    expect(Date.parse(String(expiresAt))).toBeGreaterThan(Date.now() + MAX_TOKEN_LIFETIME_SECONDS * 1000);
    const past = { jti: 'watch', expiresAt: '2020-01-01T00:00:00Z' };
    const refused = await ask(here, '/api/tokens/revoke', { body: past, token: admin });
    expect([refused.status, (await documentIn(refused)).errors]).toMatchObject([400, [{ field: '/expiresAt' }]]);
  });

  it('says whether the token was issued: known when it is shown, unknown of an id alone', async () => {
    const admin = await tokenFor('root', 'admin');
    const revoke = (body: object) => ask(environment(), '/api/tokens/revoke', { body, token: admin });
    const token = await tokenFor('alice', 'client', 'desktop');
    const shown = { jti: 'desktop', issued: 'yes', subject: 'alice', role: 'client' };
    expect(await documentIn(await revoke({ token }))).toMatchObject(shown);
    expect((await ask(environment(), '/api/tasks', { token })).status).toBe(401);
    expect(await documentIn(await revoke({ jti: 'dekstop' }))).toMatchObject({ jti: 'dekstop', issued: 'unknown' });
    for (const [body, field] of [
      [{ token: 'a.b.c' }, '/token'],
      [{ token: await tokenFor('alice') }, '/token'],
      [{ token, jti: 'desktop' }, '/jti'],
      [{}, '/jti'],
    ] as const) {
      const refused = await revoke(body);
      expect([refused.status, (await documentIn(refused)).errors]).toMatchObject([400, [{ field }]]);
    }
  });

  it('fails closed while nobody knows what was revoked', async () => {
    const token = await tokenFor('alice', 'client', 'phone');
    expect((await ask(environment({ TASK_DB_0: noDatabase }), '/api/tasks', { token })).status).toBe(503);
  });
});

describe('wrong tokens', () => {
  /** As the platform counts: by key. */
  function counting(limit: number) {
    const counts = new Map<string, number>();
    return {
      counts,
      limit: async ({ key }: { key: string }) => {
        counts.set(key, (counts.get(key) ?? 0) + 1);
        return { success: (counts.get(key) ?? 0) <= limit };
      },
    };
  }

  const from = (address: string) => ({ headers: { 'cf-connecting-ip': address } });

  it('are answered 429 once an address has sent many, and right ones as ever', async () => {
    const WRONG_TOKENS = counting(2);
    const here = environment({ WRONG_TOKENS });
    const wrong = () => ask(here, '/api/tasks', { token: 'a.b.c', ...from('192.0.2.1') });
    expect([(await wrong()).status, (await wrong()).status]).toEqual([401, 401]);
    const refused = await wrong();
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '10']);
    expect((await documentIn(refused)).type).toContain('too-many-wrong-tokens');
    expect((await ask(here, '/api/tasks', from('192.0.2.1'))).status).toBe(200);
    expect((await ask(here, '/api/tasks', { token: 'a.b.c', ...from('192.0.2.2') })).status).toBe(401);
  });

  it('of attempts count too, and a sender of IPv6 is a network', async () => {
    const CALLBACK = callbackStub({ ok: false, code: 'unauthenticated', detail: 'No.' });
    const WRONG_TOKENS = counting(1);
    const here = environment({ CALLBACK, WRONG_TOKENS });
    const path = `/api/task/${await idFor('alice')}`;
    const report = { method: 'PUT', body: { status: 'succeeded' }, token: 'wrong' };
    expect((await ask(here, path, { ...report, ...from('2001:db8::1') })).status).toBe(401);
    expect((await ask(here, path, { ...report, ...from('2001:db8:0:0:ffff::2') })).status).toBe(429);
    expect([...WRONG_TOKENS.counts.keys()]).toEqual(['2001:db8:0:0']);
  });

  it('are answered 401 when the counter fails', async () => {
    const WRONG_TOKENS = { limit: () => Promise.reject(new Error('no counter')) };
    expect((await ask(environment({ WRONG_TOKENS }), '/api/tasks', { token: 'a.b.c' })).status).toBe(401);
  });
});

describe('a deployment that is not configured', () => {
  it.each([
    [{ JWT_SECRET: undefined }, 'JWT_SECRET'],
    [{ JWT_SECRET: 'hunter2' }, 'JWT_SECRET'],
    [{ JWT_SECRET: '' }, 'JWT_SECRET'],
    [{ ID_SECRET: undefined }, 'ID_SECRET'],
    [{ ID_SECRET: 'hunter2' }, 'ID_SECRET'],
    [{ ACCEPT: 'hunter2' }, 'ACCEPT'],
    [{ JWKS_URL: 'hunter2' }, 'JWKS_URL'],
    [{ TASK_QUEUE_0: undefined, TASK_DB_0: undefined }, 'TASK_DB_0'],
    [{ SERVICES: { ocr: { baseUrl: 'hunter2' } } }, 'SERVICES.ocr.baseUrl'],
    [{ SERVICES: '{"ocr":' }, 'SERVICES'],
    [{ JWT_SECRET: undefined, JWKS_URL: 'http://hunter2', ALLOW_PRIVATE_TARGETS: undefined }, 'JWKS_URL'],
    [{ TASK_QUEUE_0: undefined, TASK_QUEUE_1: undefined }, 'TASK_QUEUE_0'],
    [{ ALLOW_PRIVATE_TARGETS: 'false' }, 'SERVICES.echo.baseUrl'],
  ])('with %j serves nothing and names %s, never its value', async (overrides, variable) => {
    const here = environment(overrides);
    for (const path of ['/api/tasks', '/healthz', '/openapi.json', '/nothing']) {
      const answer = await ask(here, path);
      expect(answer.status).toBe(503);
      const text = await answer.text();
      expect(JSON.parse(text)).toMatchObject({ type: '/docs/problems/misconfigured' });
      expect(JSON.parse(text).errors.map(({ field }: { field: string }) => field)).toContain(variable);
      expect(text).not.toContain('hunter2');
    }
  });

  it('names every variable at once', async () => {
    const answer = await ask(environment({ JWT_SECRET: undefined, ID_SECRET: undefined }), '/healthz');
    const { errors } = (await answer.json()) as { errors: { field: string }[] };
    expect(errors.map(({ field }) => field).sort()).toEqual(['ID_SECRET', 'JWT_SECRET']);
  });

  it('serves with a key set and no secret', async () => {
    const here = environment({ JWT_SECRET: undefined, JWKS_URL: 'https://issuer.example/keys' });
    expect((await ask(here, '/healthz')).status).toBe(200);
    expect((await ask(here, '/api/tasks')).status).toBe(401);
  });

  it('is healthy once it is', async () => {
    const answer = await ask(environment(), '/healthz', { token: undefined });
    expect([answer.status, await answer.text()]).toEqual([200, '{"status":"ok"}']);
  });
});

describe('addresses and methods', () => {
  it('answers 404 for an address that is not there', async () => {
    const answer = await ask(environment(), '/api/nothing');
    expect(answer.status).toBe(404);
    expect((await documentIn(answer)).type).toBe('/docs/problems/not-found');
  });

  it.each([
    ['DELETE', '/api/task', 'OPTIONS, POST'],
    ['PATCH', `/api/task/${ID}`, 'GET, HEAD, OPTIONS, PUT'],
    ['GET', `/api/task/${ID}/cancel`, 'OPTIONS, POST'],
    ['POST', '/healthz', 'GET, HEAD, OPTIONS'],
  ])('answers 405 to %s %s', async (method, path, allow) => {
    const answer = await ask(environment(), path, { method });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow]);
  });

  it('answers OPTIONS with what it allows, and HEAD without a body', async () => {
    const options = await ask(environment(), '/api/tasks', { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS']);
    const head = await ask(environment(), '/healthz', { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  });

  it('hides the cause of an unexpected failure, and logs it under the request id', async () => {
    const here = environment({ CALLBACK: { cancelTask: async () => undefined } });
    const answer = await ask(here, `/api/task/${await idFor('alice')}/cancel`, { method: 'POST' });
    const { requestId, ...document } = await documentIn(answer);
    expect(document).toEqual({
      type: '/docs/problems/internal',
      title: expect.any(String),
      status: 500,
      detail: expect.any(String),
    });
    expect(JSON.parse(failureLog.mock.lastCall?.[0])).toMatchObject({
      event: 'request.failed',
      requestId,
      method: 'POST',
    });
  });
});
