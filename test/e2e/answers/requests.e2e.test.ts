/** How requests reach backends: as they were sent or refused with the reason, round no circle, and past servers that are away. */
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Client } from '../pipeline.ts';
import { AnswerRun, scriptOf } from './answer-run.ts';
import { answer, startRawBackend } from './raw-backend.ts';
import { TEXT } from './row.ts';

let run: AnswerRun;
beforeAll(async () => {
  run = await AnswerRun.start();
});
afterAll(() => run?.stop());

describe('a request on its way', () => {
  it('carries what Tasklane says of packing and proxies, and nothing that a client says of it', async () => {
    const forged = {
      te: 'trailers',
      forwarded: 'for=1.2.3.4',
      via: '1.1 x',
      'x-forwarded-for': '1.2.3.4',
      'x-real-ip': '1.2.3.4',
      // As a gateway of CGI reads them.
      accept_encoding: 'deflate',
      'x.forwarded.for': '1.2.3.4',
    };
    const told = await run.callSync('open/headers', { headers: { ...forged, 'accept-encoding': 'deflate' } });
    const seen = JSON.parse(told.text) as Record<string, string>;
    expect(seen['accept-encoding']).toBe('gzip, br');
    for (const name of Object.keys(forged)) expect(seen[name], name).toBeUndefined();
    for (const name of [
      'Accept-Encoding',
      'Forwarded',
      'X-Forwarded-Host',
      'Via',
      'X-Real-IP',
      'TE',
      'Upgrade',
      'tasklane-hops',
      'accept_encoding',
      'X_Forwarded_For',
      'WL-Proxy-Client-IP',
    ]) {
      const { status: code, body } = await run.client.call('POST', '/api/task', {
        service: 'open',
        headers: { [name]: 'x' },
      });
      expect([name, code]).toEqual([name, 400]);
      expect(JSON.stringify(body)).toContain(name);
    }
  });

  it.each([
    '/target/a?',
    '/target/a?x=%27y',
    "/target/it's",
    '/target/%2F%2f',
    '/target?u=https%3A%2F%2Fh%2F..%2Fx',
    `/target?${'q'.repeat(3_000)}`,
  ])('keeps %s byte for byte', async (target) => {
    expect(await run.raw('GET', `/api/service/open${target}`)).toEqual([200, target]);
  });

  it.each([
    '/target/a/.',
    '/target/a/../b',
    '/target/a\\b',
    "/target?x='y'",
    '/target/%2e%2e/x',
    '/target/a%00b',
    '/target/ü',
  ])('refuses %s, which would be rewritten or mean another', async (target) => {
    const [code, text] = await run.raw('GET', `/api/service/open${target}`);
    expect([code, text.includes('path')]).toEqual([400, true]);
  });

  it.each(['a synchronous call', 'a task'])(
    'of %s brings its target byte for byte or is refused, whatever stands in it',
    async (way) => {
      let count = 0;
      const deliver = async (where: string, text: string) => {
        const start = `/target/${way.length}-${count++}-`;
        const target = where === 'path' ? `${start}${text}b` : `${start}?x${text}y`;
        // Over a socket: bytes above 127 are no characters there.
        const code =
          way === 'a task'
            ? (await run.client.call('POST', '/api/task', { service: 'open', path: target, payload: 1 })).status
            : (await run.raw('GET', `/api/service/open${target}`, '', 'latin1'))[0];
        return { target, start, isRefused: code === 400 };
      };
      const parts = fc.array(
        fc.constantFrom(...'./\\?&=\'"`%^|<>{}[]~:;@!$()*,+ #é\t', '%2e', '%2F', '%5c', '%27', '%00', '%ff', '..'),
        { maxLength: 6 },
      );
      const drawn = fc.sample(fc.tuple(fc.constantFrom('path', 'query'), parts), 200);
      const each = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
      const texts = [
        ...each.flatMap((char) => [
          ['path', char],
          ['query', char],
        ]),
        ...drawn.map(([a, b]) => [a, b.join('')]),
      ];
      const brought: Awaited<ReturnType<typeof deliver>>[] = [];
      for (let at = 0; at < texts.length; at += 32) {
        const some = texts.slice(at, at + 32) as [string, string][];
        brought.push(...(await Promise.all(some.map(([where, text]) => deliver(where, text)))));
      }
      const taken = brought.filter(({ isRefused }) => !isRefused);
      const comes = (start: string) => run.backend.seen.filter((request) => request.target.startsWith(start));
      await expect.poll(() => taken.filter(({ start }) => comes(start).length === 0)).toEqual([]);
      for (const { target, start, isRefused } of brought) {
        // The runtime leaves a fragment, which is no part of a target, out before any Worker is asked (decision 0042).
        const [sent] = way === 'a task' ? [target] : target.split('#');
        expect([target, comes(start).map((request) => request.target)]).toEqual([target, isRefused ? [] : [sent]]);
      }
      expect(taken.length).toBeGreaterThan(150);
    },
  );

  it('of HEAD keeps the length that it asked for', async () => {
    const length = await new Promise((resolve, reject) => {
      httpRequest(`${run.url}/api/service/open/length`, {
        method: 'HEAD',
        headers: { authorization: `Bearer ${run.token}` },
      })
        .on('response', ({ headers }) => resolve(headers['content-length']))
        .on('error', reject)
        .end();
    });
    expect(length).toBe('1234');
  });

  it('may be a QUERY, both ways', async () => {
    const told = await run.callSync('open/target/q', { method: 'QUERY', body: 'select' });
    expect([told.status, run.backend.seen.at(-1)?.method]).toEqual([200, 'QUERY']);
    const id = await run.client.submit({ service: 'open', method: 'QUERY', path: '/target/q', payload: { select: 1 } });
    expect(await run.client.task(id, 20)).toMatchObject({ status: 'succeeded' });
    expect(run.backend.seen).toContainEqual(expect.objectContaining({ method: 'QUERY', body: '{"select":1}' }));
  });

  it('made a task keeps a chunked body and the lack of a content type', async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('12345'));
        controller.close();
      },
    });
    const told = await run.callSync('open/target/later', {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { prefer: 'respond-async' },
    } as RequestInit & { headers: Record<string, string> });
    expect(told.status).toBe(202);
    expect(await run.client.task((JSON.parse(told.text) as { id: string }).id, 20)).toMatchObject({
      status: 'succeeded',
    });
    const seen = run.backend.seen.findLast(({ target }) => target === '/target/later');
    expect(seen?.body).toBe('12345');
    expect(seen?.headers.has('content-type')).toBe(false);
  });

  it('is refused clearly when it wants a WebSocket, or has come in a circle', async () => {
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    const [code, text] = await run.raw('GET', '/api/service/open/target', upgrade);
    expect([code, text.includes('WebSocket')]).toEqual([400, true]);
    const [again, why] = await run.raw('GET', '/api/service/open/target', 'tasklane-hops: 4\r\n');
    expect([again, why.includes('tasklane-hops')]).toEqual([400, true]);
    await run.callSync('open/headers', { headers: { 'tasklane-hops': '2' } });
    expect(run.backend.seen.at(-1)?.headers.get('tasklane-hops')).toBe('3');
  });

  it('to a service at the address of the deployment itself is not taken', async () => {
    const admin = await run.admin();
    const { status: code, body } = await admin.call('PUT', '/api/services/circle', {
      baseUrl: `${run.url}/api/service/circle`,
    });
    expect([code, JSON.stringify(body).includes('itself')]).toEqual([400, true]);
  });
});

describe('a circle', () => {
  it.each(['tasks', 'synchronous calls'])('of %s ends by itself: the count goes round with it', async (kind) => {
    const hops: string[] = [];
    // A backend that is another deployment, or a program of one's own, and comes back with what it was sent.
    const partner = createServer(async (request, response) => {
      const came = String(request.headers['tasklane-hops']);
      hops.push(came);
      const path = kind === 'tasks' ? '/api/task' : '/api/service/circle/again';
      const again = await fetch(run.url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${run.token}`, 'content-type': 'application/json', 'tasklane-hops': came },
        body: JSON.stringify(kind === 'tasks' ? { service: 'circle' } : {}),
      });
      response.writeHead(again.status).end(await again.text());
    });
    await new Promise<void>((resolve) => partner.listen(0, '127.0.0.1', resolve));
    try {
      const admin = await run.admin();
      const baseUrl = `http://127.0.0.1:${(partner.address() as AddressInfo).port}`;
      expect((await admin.call('PUT', '/api/services/circle', { baseUrl, timeoutSeconds: 20 })).status).toBe(200);
      if (kind === 'tasks') await run.client.submit({ service: 'circle' });
      else expect((await run.callSync('circle/first', { method: 'POST', body: '{}' })).status).toBe(400);
      await expect.poll(() => hops.length).toBe(4);
      expect(hops).toEqual(['1', '2', '3', '4']);
    } finally {
      await new Promise((resolve) => partner.close(resolve));
    }
  });
});

describe('a call to registered servers', () => {
  it.each([
    [521, 'POST', true],
    [530, 'POST', true],
    [522, 'POST', false],
    [522, 'GET', true],
    [524, 'GET', false],
  ])('that a proxy answers with %i for one of them: a %s goes on to the other is %s', async (code, method, goesOn) => {
    const admin = await run.admin();
    const server = await Client.as(run.url, 'backend', 'server');
    const name = `edge-${code}-${method.toLowerCase()}`;
    const cut = await startRawBackend(() => ({ steps: () => answer(code, TEXT, '<html>') }));
    const whole = await startRawBackend(() => ({ steps: () => answer(200, TEXT, 'fine') }));
    try {
      await admin.call('PUT', `/api/services/${name}`, { balancing: 'round-robin', timeoutSeconds: 10 });
      for (const { url } of [cut, whole]) {
        expect((await server.call('POST', '/api/servers', { url, services: [{ name }] })).status).toBe(201);
      }
      const statuses: (number | 'broken')[] = [];
      for (let time = 0; time < 2; time++) {
        statuses.push((await run.callSync(`${name}/x`, { method, ...(method === 'POST' && { body: 'work' }) })).status);
      }
      expect(statuses.sort()).toEqual(goesOn ? [200, 200] : [200, code]);
      expect(cut.seen.length).toBeGreaterThan(0);
    } finally {
      await Promise.all([cut.stop(), whole.stop()]);
    }
  });

  it('reaches one of two that read it and break off, and another where one refuses connections', async () => {
    const admin = await run.admin();
    const server = await Client.as(run.url, 'backend', 'server');
    const others = await Promise.all([startRawBackend(scriptOf), startRawBackend(scriptOf)]);
    const gone = await startRawBackend(() => undefined);
    try {
      for (const name of ['breaking', 'half-gone']) {
        await admin.call('PUT', `/api/services/${name}`, { balancing: 'round-robin', timeoutSeconds: 10 });
      }
      const register = async (url: string, name: string) => {
        const { status: code } = await server.call('POST', '/api/servers', { url, services: [{ name }] });
        expect(code).toBe(201);
      };
      await register(run.backend.url, 'breaking');
      await register(others[0].url, 'breaking');
      const all = [run.backend, ...others];
      const reached = () => all.flatMap(({ seen }) => seen.filter(({ target }) => target === '/read-and-reset?twice'));
      const broken = await run.callSync('breaking/read-and-reset?twice', { method: 'POST', body: 'work' });
      expect([broken.status, reached().length]).toEqual([502, 1]);

      await register(gone.url, 'half-gone');
      await register(others[1].url, 'half-gone');
      await gone.stop();
      for (let time = 0; time < 4; time++) {
        const told = await run.callSync('half-gone/target/kept', { method: 'POST', body: 'work' });
        expect([told.status, told.text]).toEqual([200, '/target/kept']);
      }
    } finally {
      await Promise.all(others.map((each) => each.stop()));
    }
  });
});
