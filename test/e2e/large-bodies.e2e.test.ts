/** Bodies that are too large for messages and rows, through the real pipeline and the local runtime's bucket. */
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { signToken } from '../../shared/auth/token.ts';
import { TERMINAL_STATUSES } from '../../shared/task/status.ts';
import {
  type Digest,
  digestOf,
  type LargeBodyBackend,
  pseudoRandom,
  startLargeBodyBackend,
} from './large-body-backend.ts';
import { Client, type Pipeline, SECRETS, startPipeline, type TaskView } from './pipeline.ts';

const MB = 1024 * 1024;
const KEY = 'sk-large-0123456789abcdefghijklmnop';

let backend: LargeBodyBackend;
let pipeline: Pipeline;
let client: Client;
let token: string;

beforeAll(async () => {
  backend = await startLargeBodyBackend();
  const service = { baseUrl: backend.url, timeoutSeconds: 60 };
  pipeline = await startPipeline({
    services: {
      large: service,
      linked: { ...service, bodies: 'link' },
      keyed: { ...service, headers: { authorization: { secret: 'LARGE_KEY' } } },
    },
    secrets: { ...SECRETS, LARGE_KEY: `Bearer ${KEY}` },
    shards: 1,
  });
  client = await Client.as(pipeline.run.url, 'alice');
  token = await signToken({ sub: 'alice', role: 'client' }, SECRETS.JWT_SECRET, 3600);
});

afterAll(async () => {
  await pipeline[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
});

interface LargeTask extends TaskView {
  readonly resultUrl: string;
  readonly resultBytes: number;
  readonly resultContentType: string;
  readonly request: { readonly bodyBytes?: number; readonly contentType?: string; readonly bodyUrl?: string };
}

async function ended(id: string): Promise<LargeTask> {
  for (let look = 0; look < 4; look++) {
    const task = (await client.task(id, 30)) as LargeTask;
    if (TERMINAL_STATUSES.some((status) => status === task.status)) return task;
  }
  throw new Error(`${id} has not ended`);
}

function asAlice(headers: Record<string, string> = {}): Record<string, string> {
  return { authorization: `Bearer ${token}`, ...headers };
}

async function download(
  url: string,
  headers: Record<string, string> = asAlice(),
): Promise<Digest & { type: string | null }> {
  const response = await fetch(url, { headers });
  expect(response.status).toBe(200);
  return { ...(await digestOf(response.body ?? Readable.from([]))), type: response.headers.get('content-type') };
}

function streaming(bytes: number): RequestInit {
  return { body: Readable.toWeb(Readable.from(pseudoRandom(bytes))), duplex: 'half' } as unknown as RequestInit;
}

async function upload(bytes: number): Promise<string> {
  const { status, body } = await client.call<{ id: string; url: string }>('POST', '/api/uploads', {
    bytes,
    contentType: 'application/pdf',
  });
  expect(status).toBe(201);
  const put = await fetch(body.url, {
    method: 'PUT',
    headers: { 'content-length': String(bytes) },
    ...streaming(bytes),
  });
  expect(put.status).toBe(200);
  return body.id;
}

describe('a scan of 30 MB that goes up by link', () => {
  it('reaches a backend that wants a link, whose result of 20 MB comes back by callback, byte for byte', async () => {
    const [scan, result] = await Promise.all([digestOf(pseudoRandom(30 * MB)), digestOf(pseudoRandom(20 * MB))]);
    const payloadUpload = await upload(30 * MB);
    const id = await client.submit({ service: 'linked', path: `/later?bytes=${20 * MB}`, payloadUpload });
    const task = await ended(id);
    expect(task).toMatchObject({ status: 'succeeded', resultBytes: 20 * MB, resultContentType: 'application/pdf' });
    expect(task.request).toMatchObject({ bodyBytes: 30 * MB, contentType: 'application/pdf' });
    expect(backend.seen.get('/later')?.headers).toMatchObject({
      'task-payload-bytes': String(30 * MB),
      'task-payload-type': 'application/pdf',
    });
    expect(backend.seen.get('/later/payload')?.body).toEqual(scan);
    expect(await download(task.resultUrl)).toEqual({ ...result, type: 'application/pdf' });
    expect(await download(`${pipeline.run.url}/api/task/${id}/payload`)).toMatchObject(scan);
    const link = await client.call<{ url: string }>('POST', `/api/task/${id}/links`, { body: 'result' });
    expect(await download(link.body.url, {})).toMatchObject(result);
  });
});

describe('a payload that is too large for a message', () => {
  it('comes inside JSON and reaches the backend byte for byte, and so does its echo', async () => {
    const payload = `{"numbers":[1.10,12345678901234567890],"text":${JSON.stringify('ä€'.repeat(60_000))}}`;
    const response = await fetch(`${pipeline.run.url}/api/task`, {
      method: 'POST',
      headers: asAlice({ 'content-type': 'application/json' }),
      body: `{"service":"large","path":"/echo","payload":${payload}}`,
    });
    expect(response.status).toBe(202);
    const task = await ended(((await response.json()) as { id: string }).id);
    expect(await download(task.resultUrl)).toEqual({
      ...(await digestOf([Buffer.from(payload)])),
      type: 'application/json',
    });
  });

  it('streams through the synchronous route into a task that is asked for, once for each key', async () => {
    const send = () =>
      fetch(`${pipeline.run.url}/api/service/large/keep`, {
        method: 'POST',
        headers: asAlice({
          prefer: 'respond-async',
          'content-type': 'image/tiff',
          'content-length': String(25 * MB),
          'idempotency-key': '"scan-7"',
        }),
        ...streaming(25 * MB),
      });
    const first = await send();
    expect(first.status).toBe(202);
    const { id } = (await first.json()) as { id: string };
    const task = await ended(id);
    expect(task.result).toEqual({ type: 'image/tiff', ...(await digestOf(pseudoRandom(25 * MB))) });
    expect(backend.seen.get('/keep')?.headers['content-length']).toBe(String(25 * MB));
    const second = await send();
    expect(second.headers.get('idempotency-replayed')).toBe('true');
    expect(await second.json()).toMatchObject({ id, status: 'succeeded' });
  });
});

describe('a result that is too large for a row', () => {
  it('is kept, and downloaded whole or from where a download broke off', async () => {
    const id = await client.submit({ service: 'large', path: `/give?bytes=${12 * MB}` });
    const task = await ended(id);
    expect(task).toMatchObject({ status: 'succeeded', resultBytes: 12 * MB, resultContentType: 'application/pdf' });
    expect(await download(task.resultUrl)).toMatchObject(await digestOf(pseudoRandom(12 * MB)));
    const rest = await fetch(task.resultUrl, { headers: asAlice({ range: `bytes=${12 * MB - 10}-` }) });
    expect(rest.status).toBe(206);
    expect(rest.headers.get('content-range')).toBe(`bytes ${12 * MB - 10}-${12 * MB - 1}/${12 * MB}`);
    const whole = Buffer.concat([...pseudoRandom(12 * MB)]);
    expect(Buffer.from(await rest.arrayBuffer())).toEqual(whole.subarray(-10));
  });

  it.each([
    ['in an answer', '/secret'],
    ['put by callback', '/later?by=secret'],
    ['inside JSON by callback', '/later?by=json'],
  ])('holds no key %s, wherever its pieces are cut', async (_, where) => {
    const text = Buffer.alloc(256 * 1024, 'all is well. ');
    backend.secretAnswer = function* (key) {
      for (let cut = 1; cut < key.length; cut += 3) {
        yield Buffer.concat([text, Buffer.from(key.slice(0, cut))]);
        yield Buffer.from(key.slice(cut));
      }
    };
    const id = await client.submit({ service: 'keyed', path: where });
    const task = await ended(id);
    const result = await (await fetch(task.resultUrl, { headers: asAlice() })).text();
    expect(result).not.toContain('sk-large');
    expect(result.split('[redacted]')).toHaveLength(Math.ceil((KEY.length - 1) / 3) + 1);
    const quotes = where.endsWith('json') ? 2 : 0;
    expect(result.replaceAll('[redacted]', '')).toHaveLength(Math.ceil((KEY.length - 1) / 3) * text.length + quotes);
  });

  it('may be uploaded before it is reported', async () => {
    const id = await client.submit({ service: 'large', path: `/later?by=upload&bytes=${3 * MB}` });
    const task = await ended(id);
    expect(await download(task.resultUrl)).toMatchObject(await digestOf(pseudoRandom(3 * MB)));
  });
});

it('deletes bodies from the bucket with those of the row', async () => {
  await using shortLived = await startPipeline({
    services: { large: { baseUrl: backend.url } },
    vars: { BODY_RETENTION_DAYS: '0' },
    shards: 1,
  });
  const alice = await Client.as(shortLived.run.url, 'alice');
  const id = await alice.submit({ service: 'large', path: '/echo', payload: 'x'.repeat(100_000) });
  await alice.task(id, 30);
  const bucket = await shortLived.run.miniflare.getR2Bucket('BODIES', 'tasklane-producer');
  await vi.waitFor(
    async () => {
      await shortLived.run.tick();
      expect((await bucket.list()).objects).toEqual([]);
    },
    { timeout: 30_000, interval: 500 },
  );
  const row = shortLived.database.prepare('SELECT status, bodies_deleted_at FROM tasks WHERE id = ?').get(id);
  expect(row).toMatchObject({ status: 'succeeded', bodies_deleted_at: expect.any(Number) });
  const gone = await alice.call('GET', `/api/task/${id}/result`);
  expect(gone.status).toBe(404);
});
