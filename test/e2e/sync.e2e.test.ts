/** The synchronous route in the real local run: the providers' own packages, streams, failover, tasks. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Provider, startProvider } from '../../examples/provider/server.ts';
import { type LocalRun, startLocal } from '../../local/runtime.ts';
import { signToken } from '../../shared/auth/token.ts';
import { Client, SECRETS } from './pipeline.ts';
import { planted, type StagedBackend, startStagedBackend } from './staged-backend.ts';

const KEYS: Record<string, string> = {
  ...Object.fromEntries([1, 2, 3].map((number) => [`KEY${number}`, planted(`default-${number}`)])),
  KEY_SCARCE_1: planted('scarce-1'),
  KEY_NARROW_1: planted('narrow-1'),
};
const REVOKED = [planted('default-1')];

let stateDir: string;
let provider: Provider;
let scarce: Provider;
let backend: StagedBackend;
let run: LocalRun;
let token: string;
const logged: string[] = [];

beforeAll(async () => {
  stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-sync-'));
  provider = await startProvider({ limit: 1_000, windowMs: 1_000, revoked: REVOKED });
  scarce = await startProvider({ limit: 2, windowMs: 4_000, kind: 'fixed', headers: 'ietf' });
  backend = await startStagedBackend();
  run = await startLocal({
    stateDir,
    shards: 2,
    secrets: { ...SECRETS, ...KEYS, HOUSE_SECRET: planted('house') },
    services: {
      llm: { baseUrl: provider.url, path: '/v1/chat/completions', keyPool: 'default' },
      gemini: { baseUrl: provider.url, keyPool: 'default', auth: { header: 'x-goog-api-key' } },
      scarce: { baseUrl: scarce.url, path: '/v1/chat/completions', keyPool: 'scarce' },
      staged: { baseUrl: `${backend.url}/base`, timeoutSeconds: 1, headers: { 'x-house': { secret: 'HOUSE_SECRET' } } },
      // One place: what is not given back is missed by the next call.
      narrow: { baseUrl: `${backend.url}/base`, timeoutSeconds: 1, maxConcurrency: 1, keyPool: 'narrow' },
      nowhere: { baseUrl: 'http://127.0.0.1:9' },
    },
    log: ({ text }) => logged.push(text),
  });
  token = await signToken({ sub: 'alice', role: 'client' }, SECRETS.JWT_SECRET, 3600);
});
afterAll(async () => {
  await run?.stop();
  await Promise.all([provider?.stop(), scarce?.stop(), backend?.stop()]);
  await rm(stateDir, { recursive: true, force: true });
});

function call(target: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Response> {
  return fetch(`${run.url}/api/service/${target}`, {
    ...init,
    redirect: 'manual',
    headers: { authorization: `Bearer ${token}`, ...init.headers },
  });
}

const CHAT = { model: 'example', messages: [{ role: 'user' as const, content: 'Hello' }] };
const WORDS = 'Hello from the example provider.';

describe('packages of providers on the synchronous route', () => {
  it('openai: a completion and a stream, past a revoked key', async () => {
    const openai = new OpenAI({ apiKey: token, baseURL: `${run.url}/api/service/llm/v1`, maxRetries: 0 });
    // So many that each shard, and so each key, has some.
    for (let time = 0; time < 16; time++) {
      const completion = await openai.chat.completions.create(CHAT);
      expect(completion.choices[0]?.message.content).toBe(WORDS);
    }
    const stream = await openai.chat.completions.create({ ...CHAT, stream: true });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    expect(text).toBe(WORDS);
    expect((await openai.models.list()).data[0]?.id).toBe('example');
  });

  it('@google/genai: content and a stream, with the token where the package puts its key', async () => {
    const genai = new GoogleGenAI({ apiKey: token, httpOptions: { baseUrl: `${run.url}/api/service/gemini` } });
    const request = { model: 'example', contents: 'Hello' };
    expect((await genai.models.generateContent(request)).text).toBe(WORDS);
    let text = '';
    for await (const chunk of await genai.models.generateContentStream(request)) text += chunk.text ?? '';
    expect(text).toBe(WORDS);
  });

  it('used the pool’s keys, spread over those that work, and gave them all back', async () => {
    const admin = await Client.as(run.url, 'root', 'admin');
    const keysNow = async () => {
      const { body } = await admin.call<{
        keys: { pool: string; key: string; state: string; inFlight: number; calls: number }[];
      }>('GET', '/api/stats/keys');
      return body.keys.filter(({ pool }) => pool === 'default');
    };
    await expect.poll(async () => (await keysNow()).map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
    const keys = await keysNow();
    expect(keys.find(({ key }) => key === '1')?.state).toBe('disabled');
    expect(keys.filter(({ state }) => state === 'ready').map(({ calls }) => calls > 0)).toEqual([true, true]);
  });
});

describe('a synchronous call', () => {
  it('carries method, query, headers and bytes there and back, without tokens and cookies', async () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index % 256);
    const response = await call('staged/echo/a%2Fb?q=1&q=2', {
      method: 'PATCH',
      body: bytes,
      headers: { 'content-type': 'application/x-thing', 'x-mine': 'kept', cookie: 'a=1', 'idempotency-key': 'k1' },
    });
    expect(response.status).toBe(299);
    expect(response.headers.get('content-type')).toBe('application/x-thing');
    expect(response.headers.get('set-cookie')).toBeNull();
    expect(response.headers.get('content-security-policy')).toContain('sandbox');
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
    const seen = backend.seen.at(-1);
    expect(seen).toMatchObject({ method: 'PATCH', url: '/base/echo/a%2Fb?q=1&q=2' });
    expect(seen?.headers).toMatchObject({ 'x-mine': 'kept', 'x-house': planted('house'), 'idempotency-key': 'k1' });
    expect(seen?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    for (const name of ['authorization', 'cookie', 'tasklane-call']) expect(seen?.headers[name]).toBeUndefined();
  });

  it('passes statuses, redirects and empty answers on as they are', async () => {
    expect((await call('staged/status/404')).status).toBe(404);
    expect((await call('staged/status/500')).status).toBe(500);
    const redirect = await call('staged/status/302');
    expect([redirect.status, redirect.headers.get('location')]).toEqual([302, '/api/service/staged/moved']);
    expect((await call('staged/status/204', { method: 'DELETE' })).status).toBe(204);
    expect((await call('staged/status/200', { method: 'HEAD' })).status).toBe(200);
  });

  it('streams an answer as it is made, without the secrets that a backend sends back', async () => {
    const response = await call('staged/stages');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const next = async () => new TextDecoder().decode((await reader.read()).value);
    expect(await next()).toBe('data: one\n\n');
    // Only now the backend goes on: nothing was held back until the end.
    backend.goOn();
    let rest = '';
    for (let read = await reader.read(); !read.done; read = await reader.read())
      rest += new TextDecoder().decode(read.value);
    expect(rest).toBe('data: [redacted]\n\n');
  });

  it('ends at the backend when its client has gone', async () => {
    const gone = new AbortController();
    const response = await call('staged/ticking', { signal: gone.signal });
    await (response.body as ReadableStream<Uint8Array>).getReader().read();
    gone.abort();
    await backend.untilClosed('/base/ticking');
    expect(backend.seen.filter(({ url }) => url === '/base/ticking')).toHaveLength(1);
  });

  it('gives place and key back whatever becomes of it', async () => {
    const outcomes: [string, number | 'broken'][] = [
      ['echo', 299],
      ['broken-error', 502],
      ['stalled-error', 504],
      ['odd-status', 502],
      ['silent', 504],
      ['stages', 'broken'],
      ['packed', 502],
      ['status/503', 503],
      ['echo', 299],
    ];
    for (const [path_, expected] of outcomes) {
      const response = await call(`narrow/${path_}`, { headers: { prefer: 'wait=10' } });
      const read = await response.text().then(
        () => response.status,
        () => 'broken' as const,
      );
      expect([path_, read]).toEqual([path_, expected]);
    }
    const admin = await Client.as(run.url, 'root', 'admin');
    await expect
      .poll(async () => {
        const { body } = await admin.call<{ keys: { pool: string; inFlight: number }[] }>('GET', '/api/stats/keys');
        return body.keys.filter(({ pool }) => pool === 'narrow').map(({ inFlight }) => inFlight);
      })
      .toEqual([0]);
  });

  it('is broken off when its client stops to read', async () => {
    const response = await call('narrow/flood');
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    const next = await call('narrow/echo', { headers: { prefer: 'wait=10' } });
    expect(next.status).toBe(299);
    await reader.cancel();
  });

  it('leaves no place taken by calls that were refused', async () => {
    const hold = await call('narrow/stages');
    const refused = await Promise.all(Array.from({ length: 10 }, () => call('narrow/echo')));
    expect(refused.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 503));
    backend.goOn();
    await hold.text();
    await expect.poll(async () => (await call('narrow/echo')).status).toBe(299);
    for (let time = 0; time < 3; time++) {
      const response = await call('narrow/echo', { headers: { prefer: 'wait=5' } });
      expect([response.status, await response.text()]).toEqual([299, '']);
    }
  });

  it('hides the token in every header in which it came', async () => {
    await call('staged/echo/hidden', { headers: { 'x-api-key': token, 'x-goog-api-key': 'another' } });
    const seen = backend.seen.findLast(({ url }) => url === '/base/echo/hidden');
    expect(JSON.stringify(seen?.headers)).not.toContain(token);
    expect(seen?.headers['x-goog-api-key']).toBe('another');
  });

  it('says what was wrong when no backend answered', async () => {
    const problem = async (response: Promise<Response>) => {
      const { status, title, detail } = (await (await response).json()) as {
        status: number;
        title: string;
        detail: string;
      };
      return { status, title, detail };
    };
    expect(await problem(call('nowhere/x'))).toMatchObject({ status: 502, title: 'The backend could not be reached' });
    expect(await problem(call('staged/silent'))).toMatchObject({
      status: 504,
      title: 'The backend did not answer in time',
    });
    expect(await problem(call('unheard-of/x'))).toMatchObject({ status: 404, title: 'There is no such service' });
    expect((await problem(call('unheard-of/x'))).detail).toContain('llm');
    expect(await problem(call('staged/a/..%2f..%2fb'))).toMatchObject({ status: 400 });
    expect(await problem(fetch(`${run.url}/api/service/llm/x`))).toMatchObject({ status: 401 });
    const server = await signToken({ sub: 'srv', role: 'server' }, SECRETS.JWT_SECRET, 60);
    expect(await problem(call('llm/x', { headers: { authorization: `Bearer ${server}` } }))).toMatchObject({
      status: 403,
    });
  });
});

describe('a synchronous call that could wait', () => {
  it('becomes a task at once when the client prefers so', async () => {
    const client = await Client.as(run.url, 'alice');
    const response = await call('staged/echo/later?n=1', {
      method: 'POST',
      body: '{ "spaces" :  "kept" }',
      headers: { 'content-type': 'application/json', prefer: 'respond-async', 'x-mine': 'kept' },
    });
    expect(response.status).toBe(202);
    expect(response.headers.get('preference-applied')).toBe('respond-async');
    const { id, statusUrl } = (await response.json()) as { id: string; statusUrl: string };
    expect(response.headers.get('location')).toBe(statusUrl);
    expect(await client.task(id, 20)).toMatchObject({ status: 'succeeded' });
    const seen = backend.seen.findLast(({ url }) => url === '/base/echo/later?n=1');
    expect(seen).toMatchObject({ method: 'POST', body: '{ "spaces" :  "kept" }' });
    expect(seen?.headers).toMatchObject({ 'x-mine': 'kept', 'task-id': id });
  });

  it('is told when to come again, waits for a key if it may, or becomes a task', async () => {
    const chat = { method: 'POST', body: JSON.stringify(CHAT) };
    const json = { 'content-type': 'application/json' };
    for (let time = 0; time < 2; time++) {
      expect((await call('scarce/v1/chat/completions', { ...chat, headers: json })).status).toBe(200);
    }
    // The provider says that the key's window is used up, and there is no other key.
    const refused = await call('scarce/v1/chat/completions', { ...chat, headers: json });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    const { detail } = (await refused.json()) as { detail: string };
    expect(detail).toMatch(/no API key is free.*Available now: .*llm.*respond-async/);

    const asTask = await call('scarce/v1/chat/completions', {
      ...chat,
      headers: { ...json, prefer: 'respond-async, wait=0' },
    });
    expect(asTask.status).toBe(202);
    const patient = await call('scarce/v1/chat/completions', { ...chat, headers: { ...json, prefer: 'wait=30' } });
    expect(patient.status).toBe(200);
  });
});

describe('a synchronous call to registered servers', () => {
  const register = async (server: Client, url: string, more: Record<string, unknown> = {}) => {
    const answer = await server.call<{ id: string }>('POST', '/api/servers', {
      url,
      services: [{ name: 'fleet' }],
      ...more,
    });
    expect(answer.status).toBe(201);
    return answer.body.id;
  };

  it('goes to another server when one is gone or busy, and says so when none is left', async () => {
    const admin = await Client.as(run.url, 'root', 'admin');
    const server = await Client.as(run.url, 'backend', 'server');
    const { status } = await admin.call('PUT', '/api/services/fleet', { balancing: 'round-robin', timeoutSeconds: 5 });
    expect(status).toBeLessThan(300);
    const none = await call('fleet/x');
    expect(none.status).toBe(503);
    expect(((await none.json()) as { detail: string }).detail).toMatch(
      /no healthy server offers it.*Available now: .*llm/,
    );

    const [one, two] = [await startStagedBackend(), await startStagedBackend()];
    try {
      const ids = [await register(server, one.url), await register(server, two.url, { maxConcurrency: 1 })];
      const answers = await Promise.all(Array.from({ length: 8 }, () => call('fleet/base/echo')));
      expect(new Set(answers.map(({ status: each }) => each))).toEqual(new Set([299]));
      await Promise.all(answers.map((answer) => answer.arrayBuffer()));
      const served = answers.map((answer) => answer.headers.get('tasklane-server'));
      expect(new Set(served)).toEqual(new Set(ids));

      await one.stop();
      for (let time = 0; time < 6; time++) {
        const answer = await call('fleet/base/echo', { method: 'POST', body: 'kept' });
        expect([answer.status, answer.headers.get('tasklane-server'), await answer.text()]).toEqual([
          299,
          ids[1],
          'kept',
        ]);
      }

      // One call holds the only place that is left; the next is refused, or made a task, or waits. The server that
      // is gone goes first: a call that is routed to it and moves on holds no place at the other.
      await admin.call('DELETE', `/api/servers/${ids[0]}`);
      const holding = await call('fleet/base/stages');
      expect((await call('fleet/base/echo')).status).toBe(503);
      expect((await call('fleet/base/echo/later', { headers: { prefer: 'respond-async, wait=0' } })).status).toBe(202);
      const patient = call('fleet/base/echo', { headers: { prefer: 'wait=20' } });
      two.goOn();
      await holding.text();
      expect((await patient).status).toBe(299);
    } finally {
      await Promise.all([one.stop(), two.stop()]);
    }
  });
});

it('no key shows in any answer, log line or row', async () => {
  const client = await Client.as(run.url, 'alice');
  const shown = JSON.stringify([await client.list(), logged]);
  expect(shown).not.toContain('PLANTED');
  const echoed = await (await call('gemini/echo')).text();
  expect(echoed).toContain('[redacted]');
  expect(echoed).not.toContain('PLANTED');
});
