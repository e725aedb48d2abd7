/** Where a synchronous call goes on to another server, and where it must not: by what came of the first sending. */
import { describe, expect, it, vi } from 'vitest';
import type { ConsumerEnv } from '../../../consumer/env.ts';
import { Acquired } from '../../../consumer/sync/acquired.ts';
import { forward } from '../../../consumer/sync/forward.ts';
import { IdleTimeout } from '../../../consumer/sync/idle-timeout.ts';
import type { ServerAddress } from '../../../shared/registry/routing.ts';
import { ServiceDefinitionSchema } from '../../../shared/service/definition.ts';

const SERVERS = ['one', 'two'].map((id) => ({ id, baseUrl: `http://${id}.test` }) as ServerAddress);

type FirstSending = () => Response | Error;

interface Sendable {
  readonly method: string;
  readonly body?: ArrayBuffer | ReadableStream<Uint8Array>;
  readonly idempotent?: boolean;
}

/** @returns the servers that got the request, in their order, and what came of it */
async function sent(first: FirstSending, { method, body, idempotent }: Sendable, refusing: readonly string[] = []) {
  const hosts: string[] = [];
  const env = {
    publicUrl: 'http://tasklane.test',
    refusesConnections: async (url: string) => refusing.some((host) => url.includes(host)),
    outbound: async (url: string) => {
      hosts.push(new URL(url).hostname.replace('.test', ''));
      const came = hosts.length === 1 ? first() : new Response('fine');
      if (came instanceof Error) throw came;
      return came;
    },
  } as unknown as ConsumerEnv;
  let at = 0;
  const place = {
    get server() {
      return SERVERS[at];
    },
    moveOn: () => at + 1 < SERVERS.length && ++at > 0,
    report: async () => {},
  };
  const service = ServiceDefinitionSchema.parse({ idempotent });
  using idle = new IdleTimeout(5_000, new AbortController().signal);
  const outbound = {
    method,
    path: '/',
    headers: {},
    body,
    isRepeatable: !(body instanceof ReadableStream),
    traceId: '0'.repeat(32),
    spanId: '0'.repeat(16),
    parent: undefined,
  };
  const result = await forward(env, service, outbound, new Acquired(place, undefined), idle);
  return { hosts, result };
}

const BODY = new TextEncoder().encode('work').buffer as ArrayBuffer;
const GET: Sendable = { method: 'GET' };
const POST: Sendable = { method: 'POST', body: BODY };
const BARE_POST: Sendable = { method: 'POST' };
const PUT: Sendable = { method: 'PUT', body: BODY };
const SAFE: Sendable = { method: 'POST', body: BODY, idempotent: true };
const stream = (): Sendable => ({ method: 'POST', body: new Response('work').body as ReadableStream<Uint8Array> });

describe('the answer of a proxy that did not get through', () => {
  const status =
    (code: number, headers = {}): FirstSending =>
    () =>
      new Response('<html>', { status: code, headers });

  it.each([521, 523, 525, 526, 530])('%i: nothing was read, every call goes to another server', async (code) => {
    for (const call of [GET, POST, BARE_POST, PUT, SAFE]) {
      expect((await sent(status(code), call)).hosts).toEqual(['one', 'two']);
    }
    // Its body is gone.
    expect((await sent(status(code), stream())).hosts).toEqual(['one']);
  });

  it.each([520, 522, 527])('%i: it may have been read, only what may be repeated goes on', async (code) => {
    expect((await sent(status(code), GET)).hosts).toEqual(['one', 'two']);
    expect((await sent(status(code), SAFE)).hosts).toEqual(['one', 'two']);
    for (const call of [POST, BARE_POST, PUT, stream()])
      expect((await sent(status(code), call)).hosts).toEqual(['one']);
  });

  it.each([500, 502, 503, 504, 524, 529])("%i: somebody answered, it is the client's", async (code) => {
    for (const call of [GET, POST, SAFE]) {
      const { hosts, result } = await sent(status(code), call);
      expect([hosts, result.kind]).toEqual([['one'], 'answered']);
    }
  });

  it('502 with the word that the connection was refused: every call goes on', async () => {
    const refused = status(502, { 'proxy-status': 'edge; error=connection_refused' });
    for (const call of [GET, POST]) expect((await sent(refused, call)).hosts).toEqual(['one', 'two']);
  });
});

describe('a call that brought no answer', () => {
  const lost = (message: string) => () => Object.assign(new Error(message), { retryable: true });

  it('goes on where no connection was made', async () => {
    for (const call of [GET, POST, SAFE]) {
      expect((await sent(lost('connection_refused'), call)).hosts).toEqual(['one', 'two']);
    }
  });

  it('goes on only where it may be repeated, when the connection was lost', async () => {
    expect((await sent(lost('Network connection lost.'), GET)).hosts).toEqual(['one', 'two']);
    const { hosts, result } = await sent(lost('Network connection lost.'), POST);
    expect(hosts).toEqual(['one']);
    expect(result).toMatchObject({ kind: 'failed', why: 'unreachable', isUnsent: false });
  });

  it('is known to have reached nobody where nobody listens', async () => {
    const { hosts, result } = await sent(lost('Network connection lost.'), POST, ['one.test', 'two.test']);
    expect(hosts).toEqual([]);
    expect(result).toMatchObject({ kind: 'failed', why: 'unreachable', isUnsent: true });
    expect((await sent(() => new Response(), POST, ['one.test'])).hosts).toEqual(['two']);
  });
});

describe('an answer that is for another server', () => {
  it('is cancelled unread: its connection is one of six', async () => {
    const cancel = vi.fn();
    const { hosts } = await sent(() => new Response(new ReadableStream({ cancel }), { status: 521 }), GET);
    expect(hosts).toEqual(['one', 'two']);
    expect(cancel).toHaveBeenCalledOnce();
  });
});
