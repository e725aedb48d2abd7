import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Backend, startBackend } from '../../examples/backend/server.ts';

let backend: Backend;
beforeAll(async () => {
  backend = await startBackend();
});
afterAll(() => backend.stop());
beforeEach(() => backend.log.reset());

function call(target: string, key: string, init: RequestInit = {}): Promise<Response> {
  return fetch(backend.url + target, { method: 'POST', ...init, headers: { 'idempotency-key': key, ...init.headers } });
}

describe('the example backend', () => {
  it('/flaky fails the first calls of each key, then works', async () => {
    const statuses = async (key: string) => {
      const answers = [
        await call('/flaky?failures=2', key),
        await call('/flaky?failures=2', key),
        await call('/flaky', key),
      ];
      return answers.map(({ status }) => status);
    };
    expect(await statuses('a')).toEqual([500, 500, 200]);
    expect(await statuses('b')).toEqual([500, 500, 200]);
    expect(backend.log.report()).toMatchObject({
      keys: 2,
      calls: 6,
      successes: 2,
      byKey: { a: { calls: 3, successes: 1 } },
    });
  });

  it('/busy says when to come back', async () => {
    const first = await call('/busy?retryAfter=7', 'a');
    expect([first.status, first.headers.get('retry-after')]).toEqual([429, '7']);
    expect((await call('/busy', 'a')).status).toBe(200);
  });

  it('/random fails as often as it is told to', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        call('/random?failRate=1', `r${n}`).then(
          ({ ok }) => ok,
          () => false,
        ),
      ),
    );
    expect(outcomes.every((ok) => !ok)).toBe(true);
    expect((await call('/random?failRate=0', 'never')).status).toBe(200);
  });

  it('/echo shows the request but not the token to call back with', async () => {
    const answer = await call('/echo?x=1', 'a', { body: 'hello', headers: { 'task-callback-token': 'secret' } });
    const echoed = (await answer.json()) as { headers: object };
    expect(echoed).toMatchObject({ method: 'POST', path: '/echo?x=1', body: 'hello' });
    expect(echoed.headers).not.toHaveProperty('task-callback-token');
  });

  it('does not count what is asked about itself, and refuses unknown routes and large bodies', async () => {
    expect((await fetch(`${backend.url}/_log`)).status).toBe(200);
    expect(backend.log.report().calls).toBe(0);
    expect((await call('/nowhere', 'a')).status).toBe(404);
    expect((await call('/quick', 'a', { body: 'x'.repeat(1024 * 1024 + 1) })).status).toBe(413);
  });
});

describe('/async', () => {
  const reports: { authorization: string | undefined; body: unknown }[] = [];
  let refusals = 0;
  const tasklane = createServer(async (request, response) => {
    const chunks = await request.toArray();
    const refused = refusals-- > 0;
    if (!refused)
      reports.push({
        authorization: request.headers.authorization,
        body: JSON.parse(Buffer.concat(chunks).toString()),
      });
    response.writeHead(refused ? 503 : 200).end('{}');
  });
  let headers: Record<string, string>;
  beforeAll(async () => {
    await new Promise<void>((resolve) => tasklane.listen(0, '127.0.0.1', resolve));
    const { port } = tasklane.address() as AddressInfo;
    headers = { 'task-callback-url': `http://127.0.0.1:${port}/api/task/a`, 'task-callback-token': 'token' };
  });
  afterAll(() => {
    tasklane.close();
  });
  beforeEach(() => {
    reports.length = 0;
    refusals = 0;
  });
  const successes = () => expect.poll(() => backend.log.report().successes, { timeout: 5000 });

  it('answers 202, then reports progress and the result with its token', async () => {
    expect((await call('/async?ms=40', 'a', { headers })).status).toBe(202);
    await successes().toBe(1);
    expect(reports.map(({ authorization }) => authorization)).toEqual(['Bearer token', 'Bearer token']);
    expect(reports.map(({ body }) => body)).toEqual([
      { status: 'running', progress: 50 },
      { status: 'succeeded', result: { tookMs: expect.any(Number) } },
    ]);
  });

  it('reports again when Tasklane could not take it', async () => {
    refusals = 1;
    await call('/async?ms=10', 'a', { headers });
    await successes().toBe(1);
    expect(reports).toHaveLength(2);
  });

  it('stops the work of a cancelled task', async () => {
    await call('/async?ms=5000', 'a', { headers });
    expect((await fetch(`${backend.url}/async/a`, { method: 'DELETE' })).status).toBe(204);
    expect((await fetch(`${backend.url}/async/a`, { method: 'DELETE' })).status).toBe(404);
    expect(reports).toEqual([]);
  });

  it('refuses work that it could not report', async () => {
    expect((await call('/async', 'a')).status).toBe(400);
  });
});
