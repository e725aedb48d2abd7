/** Bodies in the bucket as the producer takes and gives them: uploads, links, and whose they are. */
import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { UPLOAD_ID_PATTERN } from '../../../shared/bodies/object-key.ts';
import { toHex } from '../../../shared/crypto/hex.ts';
import type { LedgerAnswer } from '../../../shared/ledger/rpc.ts';
import { recordAccepted } from '../../../shared/store/accept.ts';
import { MAX_INLINE_BYTES } from '../../../shared/task/content.ts';
import { ask, aTask, callbackStub, documentIn, environment, idFor, queueStub, tokenFor } from '../client.ts';

const bucket = (env as unknown as { BODIES: R2Bucket }).BODIES;

interface UploadView {
  readonly id: string;
  readonly url?: string;
  readonly parts?: readonly { readonly part: number; readonly bytes: number; readonly url: string }[];
  readonly completeUrl?: string;
}

let queue: ReturnType<typeof queueStub>;
let here: object;

beforeEach(() => {
  queue = queueStub();
  here = environment({ TASK_QUEUE_0: queue, TASK_QUEUE_1: queue });
});

async function sha256(bytes: ArrayBuffer): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
}

const pathOf = (url = '') => url.replace('http://tasklane.test', '');

async function created(bytes: number): Promise<UploadView> {
  const answer = await ask(here, '/api/uploads', { body: { bytes, contentType: 'text/csv' } });
  expect(answer.status).toBe(201);
  return answer.json<UploadView>();
}

function put(url: string | undefined, body: string, headers: Record<string, string> = {}): Promise<Response> {
  const length = { 'content-length': String(body.length) };
  return ask(here, pathOf(url), { method: 'PUT', token: undefined, body, headers: { ...length, ...headers } });
}

async function uploaded(text: string): Promise<string> {
  const { id, url } = await created(text.length);
  expect((await put(url, text)).status).toBe(200);
  return id;
}

describe('an upload', () => {
  it('is asked for with a token, made without one, and becomes the payload of a task', async () => {
    const id = await uploaded('a,b,c');
    expect(id).toMatch(UPLOAD_ID_PATTERN);
    const answer = await ask(here, '/api/task', { body: { service: 'echo', payloadUpload: id } });
    expect(answer.status).toBe(202);
    const [{ task } = { task: undefined }] = queue.sent;
    expect(task?.request.storedBody).toMatchObject({ key: `u.${id.slice(4)}.payload`, type: 'text/csv', bytes: 5 });
    expect(task?.request.body).toBeUndefined();
    const row = await env.DB.prepare('SELECT id FROM tasks WHERE id = ?').bind(task?.id).first();
    expect(row).toEqual({ id: task?.id });
  });

  it('takes exactly what it was asked for, once', async () => {
    const { url } = await created(5);
    expect((await put(url, 'toolong')).status).toBe(413);
    expect((await put(url, 'few')).status).toBe(400);
    expect((await put(url, 'right')).status).toBe(200);
    const again = await put(url, 'other');
    expect(again.status).toBe(409);
    expect(await documentIn(again)).toMatchObject({ type: '/docs/problems/upload-complete' });
  });

  it.each([
    ['another size', (url: string) => url.replace('bytes=5', 'bytes=6')],
    ['another body', (url: string) => url.replace(/u\.[0-9a-z]{8}/, 'u.00000000')],
    ['a later end', (url: string) => url.replace(/expires=\d+/, 'expires=4000000000')],
    ['another type', (url: string) => url.replace('text%2Fcsv', 'text%2Fhtml')],
    ['another signature', (url: string) => url.replace(/signature=..../, 'signature=0000')],
  ])('has a link that is not good for %s', async (_, change) => {
    const { url = '' } = await created(5);
    const changed = change(url);
    expect(changed).not.toBe(url);
    const answer = await put(changed, changed.includes('bytes=6') ? 'right!' : 'right');
    expect(answer.status).toBe(403);
    expect(await documentIn(answer)).toMatchObject({ type: '/docs/problems/link-not-valid' });
  });

  it('has a link that ends', async () => {
    const { url } = await created(5);
    vi.setSystemTime(Date.now() + 25 * 3_600_000);
    try {
      const answer = await put(url, 'right');
      expect(answer.status).toBe(403);
      expect((await documentIn(answer)).detail).toContain('expired');
    } finally {
      vi.useRealTimers();
    }
  });

  it('makes one task: a repeat leads to it, other settings and other owners are refused', async () => {
    const payloadUpload = await uploaded('one task');
    const submit = (body: object, token?: string) =>
      ask(here, '/api/task', { body: { service: 'echo', payloadUpload, ...body }, ...(token && { token }) });
    const first = await documentIn(await submit({}));
    const again = await submit({});
    expect(again.status).toBe(202);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await documentIn(again)).id).toBe(first.id);
    const other = await submit({ path: '/elsewhere' });
    expect(other.status).toBe(409);
    expect((await documentIn(other)).detail).toContain(String(first.id));
    const foreign = await submit({}, await tokenFor('bob'));
    expect(foreign.status).toBe(400);
    expect((await documentIn(foreign)).detail).toMatch(/no upload of yours/);
  });

  it.each([
    { status: 'failed', advice: (id: string) => `POST /api/task/${id}/retry` },
    { status: 'expired', advice: (id: string) => `POST /api/task/${id}/retry` },
    { status: 'cancelled', advice: () => 'it stays so' },
  ])('whose task is $status makes no other: what can be done for it is said', async ({ status, advice }) => {
    const payloadUpload = await uploaded(`it is ${status}`);
    const submit = () => ask(here, '/api/task', { body: { service: 'echo', payloadUpload } });
    const id = String((await documentIn(await submit())).id);
    await env.DB.prepare(`UPDATE tasks SET status = ?, finished_at = 1, due_at = NULL WHERE id = ?`)
      .bind(status, id)
      .run();
    const again = await submit();
    expect(again.status).toBe(409);
    const { detail } = await documentIn(again);
    expect(detail).toContain(`belongs to ${id}, which is ${status}`);
    expect(detail).toContain(advice(id));
    expect(String(detail).includes('retry')).toBe(status !== 'cancelled');
    expect(detail).toContain('Upload it again');
  });

  it('that is not complete is refused, as is one beside a payload', async () => {
    const { id } = await created(5);
    const early = await ask(here, '/api/task', { body: { service: 'echo', payloadUpload: id } });
    expect(early.status).toBe(400);
    expect(await documentIn(early)).toMatchObject({ errors: [{ field: '/payloadUpload' }] });
    const both = await ask(here, '/api/task', { body: { service: 'echo', payloadUpload: id, payload: 1 } });
    expect(both.status).toBe(400);
  });

  it('above 64 MB goes in parts, which are put together in their order', async () => {
    const bytes = 64 * 1024 * 1024 + 3;
    const { id, parts = [], completeUrl } = await created(bytes);
    expect(parts.map((part) => part.bytes)).toEqual([64 * 1024 * 1024, 3]);
    const big = 'x'.repeat(64 * 1024 * 1024);
    const last = (await (await put(parts[1]?.url, 'end')).json()) as { part: number; etag: string };
    const first = (await (await put(parts[0]?.url, big)).json()) as { part: number; etag: string };
    const early = await ask(here, pathOf(completeUrl), {
      token: undefined,
      body: { parts: [{ part: 1, etag: 'wrong' }] },
    });
    expect(early.status).toBe(400);
    const done = await ask(here, pathOf(completeUrl), { token: undefined, body: { parts: [first, last] } });
    expect(await documentIn(done)).toMatchObject({ bytes });
    const object = await bucket.get(`u.${id.slice(4)}.payload`, { range: { suffix: 4 } });
    expect(await object?.text()).toBe('xend');
  });

  it('is refused without a bucket, before anything is accepted', async () => {
    const without = environment({ BODIES: undefined });
    const answer = await ask(without, '/api/uploads', { body: { bytes: 100_000 } });
    expect(answer.status).toBe(413);
    expect((await documentIn(answer)).detail).toMatch(new RegExp(`100000 bytes.*${MAX_INLINE_BYTES}.*r2_buckets`));
    const task = await ask(without, '/api/task', { body: { service: 'echo', payloadUpload: `upl_${'0'.repeat(32)}` } });
    expect(task.status).toBe(413);
  });
});

describe('a payload that is too large for a message', () => {
  const body = { service: 'echo', payload: { text: 'x'.repeat(100_000) } };

  it('lies in the bucket under the name of its task, whose row is written at once', async () => {
    const { id } = await documentIn(await ask(here, '/api/task', { body }));
    const key = `t.${String(id).slice(4)}.payload`;
    expect(queue.sent[0]?.task.request.storedBody).toMatchObject({ key, type: 'application/json' });
    expect(await (await bucket.get(key))?.text()).toBe(JSON.stringify(body.payload));
    const payload = await ask(here, `/api/task/${String(id)}/payload`);
    expect(payload.headers.get('content-type')).toBe('application/json');
    expect(payload.headers.get('content-disposition')).toBe('attachment');
    expect(await payload.text()).toBe(JSON.stringify(body.payload));
  });

  it('is stored once for an idempotency key: what a repeat brought goes', async () => {
    const send = (more: object = {}) =>
      ask(here, '/api/task', { body: { ...body, ...more }, headers: { 'idempotency-key': 'large-1' } });
    const before = (await bucket.list()).objects.length;
    const first = await documentIn(await send());
    const again = await send();
    expect((await documentIn(again)).id).toBe(first.id);
    expect((await send({ payload: { text: 'y'.repeat(100_000) } })).status).toBe(422);
    await vi.waitFor(async () => expect((await bucket.list()).objects.length).toBe(before + 1));
  });

  it('comes in a batch too', async () => {
    const answer = await ask(here, '/api/tasks/batch', { body: { tasks: [{ service: 'echo' }, body] } });
    const { results } = (await documentIn(answer)) as { results: { id: string }[] };
    const sent = queue.sent.map(({ task }) => [task.id, task.request.storedBody?.bytes]);
    expect(sent).toEqual([
      [results[0]?.id, undefined],
      [results[1]?.id, JSON.stringify(body.payload).length],
    ]);
  });
});

describe('a payload that is too large to be held', () => {
  const MB = 1024 * 1024;
  const submit = (body: string, headers: Record<string, string> = {}, more: Record<string, unknown> = {}) =>
    ask(environment({ TASK_QUEUE_0: queue, TASK_QUEUE_1: queue, ...more }), '/api/task', { body, headers });
  const objects = async () => (await bucket.list({ prefix: 't.' })).objects.map(({ key }) => key);

  it('streams into the bucket, in its own spelling, wherever it stands in the body', async () => {
    const payload = `{"n":[1.10, 12345678901234567890],"text":${JSON.stringify('ä€\n'.repeat(400_000))}}`;
    const answer = await submit(`{"service":"echo","payload":${payload},"labels":{"a":"b"}}`);
    expect(answer.status).toBe(202);
    const { id } = await documentIn(answer);
    const task = queue.sent[0]?.task;
    expect(task).toMatchObject({ id, labels: { a: 'b' }, request: { storedBody: { type: 'application/json' } } });
    expect(task?.request.storedBody?.bytes).toBe(new TextEncoder().encode(payload).length);
    expect(await (await bucket.get(`t.${String(id).slice(4)}.payload`))?.text()).toBe(payload);
  });

  it('may be base64, and is stored as what it stands for', async () => {
    const bytes = new Uint8Array(2 * MB + 1).map((_, index) => (index * 31) % 251);
    let binary = '';
    for (const byte of bytes) binary += String.fromCharCode(byte);
    const text = btoa(binary).replaceAll('/', '\\/');
    const answer = await submit(`{"payloadBase64":"${text}","contentType":"image/tiff","service":"echo"}`);
    expect(answer.status).toBe(202);
    const { storedBody } = queue.sent[0]?.task.request ?? {};
    expect(storedBody).toMatchObject({ type: 'image/tiff', bytes: bytes.length });
    const kept = await (await bucket.get(storedBody?.key ?? ''))?.arrayBuffer();
    expect(await sha256(kept ?? new ArrayBuffer())).toBe(await sha256(bytes.buffer));
  });

  it.each([
    ['that is no JSON', `{"service":"echo","payload":["${'x'.repeat(MB)}",]}`, 400],
    ['that ends too soon', `{"service":"echo","payload":["${'x'.repeat(MB)}"`, 400],
    ['that is no base64', `{"service":"echo","payloadBase64":"${'x!!x'.repeat(MB / 4)}"}`, 400],
    ['of an unknown service', `{"payload":"${'x'.repeat(MB)}","service":"nowhere"}`, 422],
    [
      'beside another',
      `{"service":"echo","payload":"${'x'.repeat(MB)}","payloadBase64":"${'abcd'.repeat(MB / 4)}"}`,
      400,
    ],
    ['that is to be sent as text', `{"service":"echo","payload":"${'x'.repeat(MB)}","contentType":"text/plain"}`, 400],
    ['whose group stands behind it', `{"service":"echo","payload":"${'x'.repeat(MB)}","group":"night"}`, 400],
    ['beside too much else', `{"service":"echo","payload":1,"labels":{"a":"${'x'.repeat(MB)}"}}`, 413],
    ['above 25 MB', `{"service":"echo","payload":"${'x'.repeat(26 * MB)}"}`, 413],
  ])('%s is refused, and leaves nothing behind', async (_, body, status) => {
    const before = await objects();
    const answer = await submit(body);
    expect([answer.status, (await documentIn(answer)).type]).toEqual([
      status,
      expect.stringContaining('/docs/problems/'),
    ]);
    expect(await objects()).toEqual(before);
    expect(queue.sent).toEqual([]);
  });

  it('is one task for a key, and the repeat leaves nothing behind', async () => {
    const send = (text: string) =>
      submit(`{"service":"echo","payload":"${text.repeat(MB)}"}`, { 'idempotency-key': 'huge' });
    const { id } = await documentIn(await send('x'));
    const before = await objects();
    const again = await send('x');
    expect((await documentIn(again)).id).toBe(id);
    expect((await send('y')).status).toBe(422);
    await vi.waitFor(async () => expect(await objects()).toEqual(before));
  });

  it('is refused without a bucket', async () => {
    expect((await submit(`{"service":"echo","payload":"${'x'.repeat(MB)}"}`, {}, { BODIES: undefined })).status).toBe(
      413,
    );
  });
});

describe('a result that is too large to be held', () => {
  const result = JSON.stringify({ text: 'x'.repeat(1024 * 1024) });
  const report = async (body: string, callback: LedgerAnswer) => {
    const id = await idFor('alice');
    const CALLBACK = callbackStub(callback);
    const answer = await ask(environment({ CALLBACK }), `/api/task/${id}`, { method: 'PUT', token: 'attempt', body });
    return { id, answer, asked: CALLBACK.asked as { report?: { storedResult?: { key: string } } }[] };
  };

  it('streams into the bucket and is reported from there', async () => {
    const { answer, asked } = await report(`{"result":${result},"status":"succeeded"}`, {
      ok: true,
      status: 'succeeded',
      changed: true,
    });
    expect(answer.status).toBe(200);
    const stored = asked[1]?.report?.storedResult;
    expect(stored).toMatchObject({ type: 'application/json', bytes: result.length });
    expect(await (await bucket.get(stored?.key ?? ''))?.text()).toBe(result);
  });

  it.each([
    [
      'of who may not report',
      `{"status":"succeeded","result":${result}}`,
      { ok: false, code: 'stale-attempt', detail: 'x' },
      409,
    ],
    [
      'of a failure',
      `{"status":"failed","error":{"message":"x"},"result":${result}}`,
      { ok: true, status: 'waiting', changed: false },
      400,
    ],
    [
      'that is known already',
      `{"status":"succeeded","result":${result}}`,
      { ok: true, status: 'succeeded', changed: false },
      200,
    ],
  ] as const)('%s leaves nothing behind', async (_, body, callback, status) => {
    const { id, answer } = await report(body, callback);
    expect(answer.status).toBe(status);
    expect((await bucket.list({ prefix: `t.${id.slice(4)}` })).objects).toEqual([]);
  });
});

describe('the bodies of a task', () => {
  it('are its owner’s, and an administrator’s', async () => {
    const id = await idFor('alice');
    const text = '{"small":true}';
    const request = { body: { type: 'application/json', encoding: 'json' as const, text } };
    await recordAccepted(env.DB, [aTask(id, 'alice', { request })], undefined);
    expect(await (await ask(here, `/api/task/${id}/payload`)).text()).toBe(text);
    expect((await ask(here, `/api/task/${id}/payload`, { token: await tokenFor('bob') })).status).toBe(404);
    expect((await ask(here, `/api/task/${id}/payload`, { token: await tokenFor('pat', 'viewer') })).status).toBe(200);
    const result = await ask(here, `/api/task/${id}/result`);
    expect(result.status).toBe(404);
    expect(await documentIn(result)).toMatchObject({ type: '/docs/problems/body-not-found' });
  });
});
