import { describe, expect, it } from 'vitest';
import { ask, documentIn, environment, tokenFor } from '../client.ts';

const APP = 'https://app.example.com';
const here = environment({ CORS_ORIGINS: `${APP}, https://other.example.com` });

function preflight(env: object, origin: string, path = '/api/task') {
  const headers = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,content-type',
  };
  return ask(env, path, { method: 'OPTIONS', headers, token: undefined });
}

describe('pages of other origins', () => {
  it('may read nothing unless the deployment says so', async () => {
    for (const answer of [
      await preflight(environment(), APP),
      await ask(environment(), '/api/tasks', { headers: { origin: APP } }),
    ]) {
      expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    }
  });

  it('may ask when they are on the list, and send the headers that the API takes', async () => {
    const answer = await preflight(here, APP);
    expect(answer.status).toBe(204);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'OPTIONS, POST',
      'access-control-allow-headers': 'authorization,content-type',
    });
    expect(answer.headers.has('access-control-allow-credentials')).toBe(false);
  });

  it('may ask before a call on the synchronous route, which takes every method', async () => {
    const answer = await preflight(here, APP, '/api/service/echo/v1/chat');
    expect([answer.status, answer.headers.get('access-control-allow-methods')]).toEqual([
      204,
      'DELETE, GET, HEAD, PATCH, POST, PUT',
    ]);
  });

  it('read answers and refusals, and the headers that say where to go on', async () => {
    for (const token of [await tokenFor('alice'), 'a.b.c']) {
      const answer = await ask(here, '/api/tasks', { token, headers: { origin: APP } });
      expect(answer.headers.get('access-control-allow-origin')).toBe(APP);
      expect(answer.headers.get('access-control-expose-headers')).toContain('retry-after');
      expect(answer.headers.get('vary')).toBe('Origin');
    }
  });

  it('read in each problem the id of its request', async () => {
    for (const path of ['/api/nothing', '/api/service/nobody/v1']) {
      const answer = await ask(here, path, { headers: { origin: APP, 'cf-ray': '8f00ba4-VIE' } });
      expect(answer.headers.get('access-control-allow-origin')).toBe(APP);
      expect((await documentIn(answer)).requestId).toBe('8f00ba4-VIE');
    }
  });

  it('read a problem of a backend as the backend wrote it', async () => {
    const problem = { type: 'about:blank', title: 'Gone for good', status: 410 };
    const fetch = async (_: string, { method }: RequestInit) =>
      new Response(method === 'HEAD' ? null : JSON.stringify(problem), {
        status: 410,
        headers: { 'content-type': 'application/problem+json', 'access-control-allow-origin': 'https://evil.example' },
      });
    const calls = { ...here, SYNC_0: { fetch }, SYNC_1: { fetch } };
    const answer = await ask(calls, '/api/service/echo/x', { headers: { origin: APP } });
    expect(answer.headers.get('access-control-allow-origin')).toBe(APP);
    expect(await documentIn(answer)).toEqual(problem);
    expect((await ask(calls, '/api/service/echo/x', { method: 'HEAD' })).status).toBe(410);
  });

  it.each(['https://app.example.com.evil.example', 'http://app.example.com', 'null', 'https://APP.example.com'])(
    'that are not on the list, such as %s, are told nothing',
    async (origin) => {
      expect((await preflight(here, origin)).headers.has('access-control-allow-origin')).toBe(false);
      const answer = await ask(here, '/api/tasks', { headers: { origin } });
      expect(answer.headers.has('access-control-allow-origin')).toBe(false);
      expect(answer.headers.get('vary')).toBe('Origin');
    },
  );

  it.each(['*', 'https://app.example.com/', 'app.example.com', 'https://app.example.com/path'])(
    'cannot be allowed as %s',
    async (CORS_ORIGINS) => {
      const answer = await ask(environment({ CORS_ORIGINS }), '/healthz');
      expect(answer.status).toBe(503);
      expect(await answer.text()).toContain('CORS_ORIGINS');
    },
  );
});
