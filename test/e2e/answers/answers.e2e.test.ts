/**
 * What backends answer, as they do in the field, and what becomes of it both ways: the result or error of a
 * task, and the answer of the synchronous route. One table; a row is a path of the scripted backend.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LocalRun, startLocal } from '../../../local/runtime.ts';
import { signToken } from '../../../shared/auth/token.ts';
import { Client, SECRETS } from '../pipeline.ts';
import { planted } from '../staged-backend.ts';
import {
  answer,
  chunked,
  type RawBackend,
  type RawRequest,
  type Script,
  type Step,
  startRawBackend,
} from './raw-backend.ts';

const KEY = planted('answers');
/** A secret that may be the name of a header. */
const SECOND = 'PLANTED-second-0123456789abcdef';
const LONE = planted('lone');
const JSON_TYPE = { 'content-type': 'application/json' };
const TEXT = { 'content-type': 'text/plain' };

/** What is sent back: the request's own headers, key and token among them. */
const echo = ({ headers }: RawRequest) => JSON.stringify(Object.fromEntries(headers));
const escapes = (text: string) => Array.from(text, (char) => `\\u00${char.charCodeAt(0).toString(16)}`).join('');
const percent = (text: string) => Array.from(text, (char) => `%${char.charCodeAt(0).toString(16)}`).join('');
const split = (text: string, at: number) => [text.slice(0, at), text.slice(at)];

interface Expected {
  /** How the task ends, or that it waits for another attempt: its status, and what its error says. */
  readonly task: {
    readonly status: string;
    readonly class?: string;
    readonly says?: string;
  };
  readonly sync: {
    readonly status: number | 'broken';
    readonly says?: string;
    readonly headers?: Record<string, string | null>;
  };
}

interface Row extends Expected {
  readonly steps: (request: RawRequest) => readonly Step[];
}

const succeeds = { status: 'succeeded' };
const isClean = { task: succeeds, sync: { status: 200, says: '[redacted]' } };
const unreadable = (encoding: string): Expected => ({
  task: { status: 'failed', class: 'result-unreadable', says: JSON.stringify(encoding) },
  sync: { status: 502, says: encoding },
});

const packed = (encoding: string, pack: (text: string) => Uint8Array, expected: Expected): Row => ({
  steps: (request) => answer(200, { ...JSON_TYPE, 'content-encoding': encoding }, pack(echo(request))),
  ...expected,
});

/** Nothing is said of a packing. */
const unsaid = (type: string, pack: (text: string) => Uint8Array, encoding: string): Row => ({
  steps: (request) => answer(200, { 'content-type': type }, pack(echo(request))),
  ...unreadable(encoding),
});

const written = (write: (key: string) => string, type = 'text/plain'): Row => ({
  steps: () => answer(200, { 'content-type': type }, `{"echo":"${write(KEY)}"}`),
  ...isClean,
});

/** What is no answer of HTTP: nobody knows what became of the request. */
const unframed = (text: string): Row => ({
  steps: () => [text],
  task: { status: 'retrying', class: 'network' },
  sync: { status: 502 },
});

const bodiless = (code: number): Row => ({
  steps: () => [`HTTP/1.1 ${code} Nothing\r\nContent-Length: 5\r\n\r\nhello`],
  task: succeeds,
  sync: { status: code },
});

const LARGE = 'x'.repeat(70_000);
const status = (code: number, headers: Record<string, string>, expected: Expected, body = LARGE): Row => ({
  steps: () => answer(code, { ...TEXT, ...headers }, body),
  ...expected,
});

const ROWS: Readonly<Record<string, Row>> = {
  // Packed.
  gzip: packed('gzip', gzipSync, isClean),
  br: packed('br', brotliCompressSync, isClean),
  deflate: packed('deflate', deflateSync, unreadable('deflate')),
  zstd: packed('zstd', zstdCompressSync, unreadable('zstd')),
  'gzip-in-capitals': packed('GZIP', gzipSync, unreadable('GZIP')),
  'x-gzip': packed('x-gzip', gzipSync, unreadable('x-gzip')),
  'gzip-twice': packed('gzip, gzip', (text) => gzipSync(gzipSync(text)), unreadable('gzip, gzip')),
  'gzip-listed': packed('gzip,', gzipSync, unreadable('gzip,')),
  'gzip-with-a-parameter': packed('gzip;q=1', gzipSync, unreadable('gzip;q=1')),
  unsaid: unsaid(JSON_TYPE['content-type'], gzipSync, 'gzip'),
  'unsaid-deflate': unsaid(JSON_TYPE['content-type'], deflateSync, 'deflate'),
  'unsaid-bare-deflate': unsaid(JSON_TYPE['content-type'], deflateRawSync, 'unknown'),
  'unsaid-br': unsaid('application/problem+json', brotliCompressSync, 'unknown'),
  'unsaid-in-a-form': unsaid('application/x-www-form-urlencoded', zstdCompressSync, 'zstd'),
  'unsaid-under-an-odd-type': unsaid('json', gzipSync, 'gzip'),
  bomb: {
    steps: () => answer(200, { ...TEXT, 'content-encoding': 'gzip' }, gzipSync('0'.repeat(10_000_000))),
    task: succeeds,
    sync: { status: 200 },
  },

  // Secrets, as programs write them.
  plain: { steps: (request) => answer(200, JSON_TYPE, echo(request)), ...isClean },
  'one-escape': written((key) => `\\u0050${key.slice(1)}`, 'application/json'),
  'all-escapes': written(escapes, 'application/json'),
  'plus-escaped': written((key) => key.replaceAll('+', '\\u002b').replaceAll('/', '\\/').replaceAll('"', '\\"')),
  percent: written(percent),
  'percent-twice': written((key) => encodeURIComponent(encodeURIComponent(key))),
  html: written((key) => key.replaceAll('"', '&quot;').replaceAll('/', '&#47;').replaceAll('+', '&plus;')),
  hex: written((key) => Buffer.from(key).toString('hex').replaceAll(/../g, '$&:')),
  'base64-0': written((key) => Buffer.from(key).toString('base64')),
  'base64-1': written((key) => Buffer.from(`a${key}z`).toString('base64')),
  'base64-2': written((key) => Buffer.from(`ab${key}z`).toString('base64url')),
  'with-leading-zeros': written((key) =>
    Array.from(key, (c) => `&#${String(c.charCodeAt(0)).padStart(20, '0')};`).join(''),
  ),
  'percent-u': written((key) => Array.from(key, (c) => `%u00${c.charCodeAt(0).toString(16)}`).join('')),
  'quoted-printable': written((key) =>
    Array.from(key, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase()}=\r\n`).join(''),
  ),
  'json-five-times': written((key) => [1, 2, 3, 4, 5].reduce((text) => JSON.stringify(text).slice(1, -1), key)),
  'hex-in-json': written((key) => JSON.stringify(Array.from(key, (c) => c.charCodeAt(0).toString(16))).slice(2, -2)),
  'char-codes': written((key) => JSON.stringify({ ...Buffer.from(key) }).slice(5, -1)),
  'base64-of-base64': written((key) => Buffer.from(Buffer.from(key).toString('base64')).toString('base64')),
  'base64-of-json-in-json': written((key) => Buffer.from(JSON.stringify(JSON.stringify({ key }))).toString('base64')),
  'stylesheet-escapes': written((key) => Array.from(key, (c) => `\\${c.charCodeAt(0).toString(16)} `).join('')),
  'base64-of-hex': written((key) => Buffer.from(Buffer.from(key).toString('hex')).toString('base64')),
  'utf-16': {
    steps: () =>
      answer(200, { 'content-type': 'text/plain; charset=utf-16le' }, Buffer.from(`it is ${KEY}`, 'utf16le')),
    ...isClean,
  },
  'split-in-chunks': { steps: () => chunked(200, TEXT, ['before ', ...split(escapes(KEY), 40), ' after']), ...isClean },
  'split-in-base64': {
    steps: () => chunked(200, TEXT, split(Buffer.from(`a${KEY}`).toString('base64'), 17)),
    ...isClean,
  },
  'in-headers': {
    steps: () =>
      answer(200, {
        'content-type': `text/plain; note=${percent(KEY)}`,
        'x-echo': escapes(KEY),
        [`x-${SECOND}`]: '1',
        'set-cookie': KEY,
      }),
    task: succeeds,
    sync: {
      status: 200,
      headers: { 'x-echo': '[redacted]', 'set-cookie': null, 'content-type': 'text/plain; note=[redacted]' },
    },
  },
  'in-a-location': {
    steps: () => answer(302, { location: `/moved?key=${percent(KEY)}` }),
    task: { status: 'failed', class: 'http', says: '/moved?key=[redacted]' },
    sync: { status: 302, headers: { location: '/api/service/keyed/moved?key=[redacted]' } },
  },
  'cut-stream': {
    steps: () => chunked(200, TEXT, ['words, then PLANTED-'], false),
    task: { status: 'retrying', class: 'network' },
    sync: { status: 'broken', says: 'words, then PLANTED-' },
  },

  // The status decides before the size.
  'large-429': status(429, { 'retry-after': '300' }, { task: { status: 'deferred' }, sync: { status: 429 } }),
  'large-503': status(503, { 'retry-after': '300' }, { task: { status: 'deferred' }, sync: { status: 503 } }),
  'large-500': status(
    500,
    {},
    { task: { status: 'retrying', class: 'http', says: 'answered 500: xxx' }, sync: { status: 500 } },
  ),
  'large-404': status(
    404,
    {},
    { task: { status: 'failed', class: 'http', says: 'answered 404: xxx' }, sync: { status: 404 } },
  ),
  'large-202': status(202, {}, { task: { status: 'waiting' }, sync: { status: 202 } }),
  'large-302': status(
    302,
    { location: '/new' },
    { task: { status: 'failed', class: 'http', says: '/new' }, sync: { status: 302 } },
  ),
  'large-200': status(200, {}, { task: succeeds, sync: { status: 200 } }),
  'cut-500': {
    steps: () => chunked(500, TEXT, ['it went wrong'], false),
    task: { status: 'retrying', class: 'http', says: 'answered 500: it went wrong' },
    sync: { status: 'broken', says: 'it went wrong' },
  },

  // What acts on an origin, and addresses of the backend.
  'acts-on-the-origin': {
    steps: () =>
      answer(200, {
        'www-authenticate': 'Basic realm="x"',
        link: '</x.css>; rel=preload',
        'speculation-rules': '"/r.json"',
        'x-frame-options': 'ALLOWALL',
        'content-security-policy-report-only': "default-src 'none'",
        'clear-site-data': '"*"',
        'strict-transport-security': 'max-age=1',
        'x-kept': 'yes',
      }),
    task: succeeds,
    sync: {
      status: 200,
      headers: {
        'www-authenticate': null,
        link: null,
        'speculation-rules': null,
        // Tasklane's own.
        'x-frame-options': 'DENY',
        'content-security-policy-report-only': null,
        'clear-site-data': null,
        'strict-transport-security': 'max-age=63072000',
        'x-kept': 'yes',
      },
    },
  },
  'upload-url': {
    steps: ({ headers }) =>
      answer(200, {
        'x-goog-upload-url': `http://${headers.get('host')}/upload?upload_id=1`,
        'x-other': `http://${headers.get('host')}/../x`,
      }),
    task: succeeds,
    sync: { status: 200, headers: { 'x-goog-upload-url': 'PUBLIC/api/service/keyed/upload?upload_id=1' } },
  },
  // How answers are framed.
  'early-hints': {
    steps: () => [
      `HTTP/1.1 103 Early Hints\r\nLink: </${SECOND}>\r\n\r\n`,
      { pauseMs: 20 },
      ...answer(200, TEXT, 'fine'),
    ],
    task: { ...succeeds, says: 'fine' },
    sync: { status: 200, says: 'fine', headers: { link: null } },
  },
  trailers: {
    steps: () => [
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-K\r\n\r\n2\r\nok\r\n0\r\nX-K: ${SECOND}\r\n\r\n`,
    ],
    task: succeeds,
    sync: { status: 200, says: 'ok', headers: { trailer: null, 'x-k': null } },
  },
  'length-and-chunks': {
    steps: () => ['HTTP/1.1 200 OK\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    task: succeeds,
    sync: { status: 200, says: 'ok' },
  },
  'two-lengths': unframed('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 5\r\n\r\nok'),
  'no-length-at-all': unframed('HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok'),
  'zero-in-a-header': unframed('HTTP/1.1 200 OK\r\nX-A: 1\0x\r\nContent-Length: 2\r\n\r\nok'),
  'folded-header': unframed('HTTP/1.1 200 OK\r\nX-A: 1\r\n  2\r\nContent-Length: 2\r\n\r\nok'),
  'no-http': unframed('hello'),
  silence: unframed(''),
  'no-reason': {
    steps: () => ['HTTP/1.1 200\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\nok'],
    task: succeeds,
    sync: { status: 200, says: 'ok', headers: { 'x-a': '1, 2' } },
  },
  'until-it-closes': {
    steps: () => ['HTTP/1.0 200 OK\r\n\r\nok'],
    task: succeeds,
    sync: { status: 200, says: 'ok' },
  },
  'with-a-body-204': bodiless(204),
  'with-a-body-205': bodiless(205),
  'not-modified': {
    steps: () => ['HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "x"\r\n\r\n'],
    task: { status: 'failed', class: 'http' },
    sync: { status: 304, headers: { etag: '"x"' } },
  },
  partial: {
    steps: () => answer(206, { ...TEXT, 'content-range': 'bytes 0-1/10' }, 'ok'),
    task: succeeds,
    sync: { status: 206, says: 'ok', headers: { 'content-range': 'bytes 0-1/10' } },
  },
  'status-999': {
    steps: () => answer(999, TEXT, 'no'),
    task: { status: 'retrying', class: 'http', says: 'answered 999' },
    sync: { status: 502, says: 'status 999' },
  },
  'packed-nothing': {
    steps: () => answer(200, { ...TEXT, 'content-encoding': 'gzip' }),
    task: succeeds,
    sync: { status: 200 },
  },
  'not-packed-at-all': {
    steps: () => answer(200, { ...TEXT, 'content-encoding': 'gzip' }, `it is ${KEY}`),
    task: { status: 'retrying', class: 'network' },
    sync: { status: 502 },
  },
  'packed-in-two-parts': {
    steps: () =>
      answer(
        200,
        { ...TEXT, 'content-encoding': 'gzip' },
        Buffer.concat([gzipSync(KEY.slice(0, 20)), gzipSync(KEY.slice(20))]),
      ),
    ...isClean,
  },

  'read-and-reset': { steps: () => ['reset'], task: { status: 'retrying', class: 'network' }, sync: { status: 502 } },
};

let stateDir: string;
let backend: RawBackend;
let run: LocalRun;
let token: string;
let client: Client;
const logged: string[] = [];

const scriptOf = (request: RawRequest): Script | undefined => {
  const name = request.target.split(/[/?]/)[1] ?? '';
  if (name === 'target') return { steps: ({ method, target }) => answer(200, TEXT, method === 'HEAD' ? '' : target) };
  if (name === 'later') return { steps: () => answer(202, {}) };
  if (name === 'length') return { steps: () => ['HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n'] };
  if (name === 'headers')
    return { steps: (each) => answer(200, JSON_TYPE, JSON.stringify(Object.fromEntries(each.headers))) };
  if (name === 'limited')
    return { steps: () => answer(429, { ...JSON_TYPE, 'retry-after': '7' }, '{"error":{"message":"slow down"}}') };
  return ROWS[name];
};

beforeAll(async () => {
  stateDir = await mkdtemp(path.join(tmpdir(), 'tasklane-answers-'));
  backend = await startRawBackend(scriptOf);
  const keyed = { baseUrl: backend.url, keyPool: 'answers', timeoutSeconds: 20 };
  run = await startLocal({
    stateDir,
    secrets: { ...SECRETS, KEY_ANSWERS_1: KEY, KEY_LONE_1: LONE, ANSWERS_SECRET: KEY, SECOND_SECRET: SECOND },
    services: {
      // Secrets in headers: a key would be given out less often than there are rows.
      keyed: {
        baseUrl: backend.url,
        timeoutSeconds: 20,
        headers: { 'x-api-key': { secret: 'ANSWERS_SECRET' }, 'x-second': { secret: 'SECOND_SECRET' } },
      },
      pooled: { ...keyed, auth: { query: 'key' } },
      ...limitedServices(backend.url),
      lone: { ...keyed, keyPool: 'lone' },
      open: { baseUrl: backend.url },
      refused: { baseUrl: 'http://127.0.0.1:9' },
    },
    log: ({ text }) => logged.push(text),
  });
  token = await signToken({ sub: 'alice', role: 'client' }, SECRETS.JWT_SECRET, 3600);
  client = await Client.as(run.url, 'alice');
});
afterAll(async () => {
  await run?.stop();
  await backend?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

/** Without a secret, where an answer is about limits. */
const serviceOf = (name: string, way: 'task' | 'sync') => (isOwn(name) ? `${way}-${name}` : 'keyed');
const isOwn = (name: string) => name.startsWith('large-');

/** One a row and way: a service that is limited is limited for whoever calls it next. */
function limitedServices(baseUrl: string) {
  const names = Object.keys(ROWS)
    .filter(isOwn)
    .flatMap((name) => [serviceOf(name, 'task'), serviceOf(name, 'sync')]);
  return Object.fromEntries(names.map((name) => [name, { baseUrl, timeoutSeconds: 20 }]));
}

interface Told {
  readonly status: number | 'broken';
  readonly text: string;
  readonly headers: Headers;
}

async function callSync(target: string, init: RequestInit & { headers?: Record<string, string> } = {}): Promise<Told> {
  const response = await fetch(`${run.url}/api/service/${target}`, {
    redirect: 'manual',
    ...init,
    headers: { authorization: `Bearer ${token}`, ...init.headers },
  });
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
    return { status: response.status, text, headers: response.headers };
  } catch {
    return { status: 'broken', text, headers: response.headers };
  }
}

const TOLD = new Set(['succeeded', 'failed', 'retrying', 'deferred', 'waiting']);

describe('an answer as the result of a task', () => {
  it('becomes what the table says, and shows no secret', async () => {
    const ids = await Promise.all(
      Object.keys(ROWS).map(
        async (name) =>
          [
            name,
            await client.submit({ service: serviceOf(name, 'task'), path: `/${name}`, payload: { any: 1 } }),
          ] as const,
      ),
    );
    for (const [name, id] of ids) {
      const { task: expected } = ROWS[name] as Row;
      let view = await client.task(id);
      // As it was seen: a moment later the next attempt may run.
      await expect
        .poll(
          async () => {
            view = await client.task(id);
            return view.status;
          },
          { timeout: 30_000, interval: 200 },
        )
        .toSatisfy((each: string) => TOLD.has(each));
      const records = JSON.stringify(view);
      expect([name, view.status], records).toEqual([name, expected.status]);
      if (expected.class !== undefined) expect(records, name).toContain(`"class":"${expected.class}"`);
      if (expected.says !== undefined) expect(records, name).toContain(JSON.stringify(expected.says).slice(1, -1));
      expectNoSecret(records, name);
    }
    const sent = backend.seen.filter(({ target }) => target === '/read-and-reset');
    expect(sent.map(({ headers }) => headers.get('task-attempt'))).toEqual(sent.map((_, index) => String(index + 1)));
  });
});

describe('what a backend reports later', () => {
  const REPORTED = ['plain', 'all-escapes', 'percent-twice', 'html', 'hex', 'base64-1', 'base64-2'] as const;

  /** What the row would have answered at once. */
  const reported = (name: string) => {
    const request = { headers: new Map([['x-api-key', KEY]]) } as unknown as RawRequest;
    return String(Buffer.from((ROWS[name] as Row).steps(request).at(-1) as Uint8Array));
  };

  async function accepted(service: string, name: string) {
    const id = await client.submit({ service, path: `/later?${name}`, payload: {} });
    await expect.poll(async () => (await client.task(id)).status).toBe('waiting');
    const { headers } = backend.seen.findLast((each) => each.headers.get('task-id') === id) as RawRequest;
    const report = async (body: object) =>
      fetch(`${run.url}/api/task/${id}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${headers.get('task-callback-token')}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      }).then(({ status: code }) => code);
    return { id, report, token: headers.get('task-callback-token')?.split('~')[0] as string };
  }

  it.each(REPORTED)('shows no secret either: %s', async (name) => {
    const { id, report } = await accepted('keyed', name);
    expect(await report({ status: 'running', progress: { percent: 1, message: reported(name) } })).toBe(200);
    expect(await report({ status: 'succeeded', result: { said: reported(name) } })).toBe(200);
    // The same once more is no other result.
    expect(await report({ status: 'succeeded', result: { said: reported(name) } })).toBe(200);
    const shown = JSON.stringify(await client.task(id));
    expect(shown).toContain('[redacted]');
    expectNoSecret(shown, name);
  });

  it('shows no key of a pool, no token, and none in bytes or in an error', async () => {
    const { id, report, token: callbackToken } = await accepted('pooled', 'key');
    const failure = `${'x'.repeat(480)} ${percent(KEY)} ${callbackToken}`;
    expect(await report({ status: 'running', message: `${KEY} ${callbackToken}` })).toBe(200);
    expect(await report({ status: 'failed', error: { message: failure }, retryable: false })).toBe(200);
    const shown = JSON.stringify(await client.task(id));
    expect(shown).not.toContain(callbackToken);
    expectNoSecret(shown, 'failure');
    const bytes = await accepted('pooled', 'bytes');
    const resultBase64 = Buffer.concat([Buffer.from([0, 255]), Buffer.from(KEY)]).toString('base64');
    expect(await bytes.report({ status: 'succeeded', resultBase64 })).toBe(200);
    const { result } = (await client.task(bytes.id)) as { result?: { base64?: string } };
    const kept = Buffer.from(JSON.stringify(result).match(/[A-Za-z0-9+/=]{12,}/)?.[0] ?? '', 'base64').toString(
      'latin1',
    );
    expect(kept).toContain('[redacted]');
    expectNoSecret(kept, 'bytes');
  });
});

describe('an answer on the synchronous route', () => {
  it.each(Object.entries(ROWS))('%s', async (name, { sync }) => {
    const told = await callSync(`${serviceOf(name, 'sync')}/${name}`, { method: 'POST', body: '{}' });
    const shown = JSON.stringify([told.text, [...told.headers]]);
    expect(told.status, shown.slice(0, 500)).toBe(sync.status);
    if (sync.says !== undefined) expect(shown).toContain(sync.says);
    for (const [header, value] of Object.entries(sync.headers ?? {})) {
      expect([header, told.headers.get(header)]).toEqual([header, value?.replace('PUBLIC', run.url) ?? null]);
    }
    expectNoSecret(shown, name);
  });

  it.each(['gzip', 'deflate', 'all-escapes', 'base64-1', 'in-a-location'])('with a key of a pool: %s', async (name) => {
    const { sync } = ROWS[name] as Row;
    const told = await callSync(`pooled/${name}`, { method: 'POST', body: '{}', headers: { prefer: 'wait=20' } });
    const shown = JSON.stringify([told.text, [...told.headers]]);
    expect(told.status, shown.slice(0, 500)).toBe(sync.status);
    expectNoSecret(shown, name);
  });

  it('of a server that read the request and broke off comes once', () => {
    const synchronous = backend.seen.filter(
      ({ target, headers }) => target === '/read-and-reset' && !headers.has('task-id'),
    );
    expect(synchronous).toHaveLength(1);
  });
});

/** Decoded as often as a reader would. */
function expectNoSecret(text: string, name: string): void {
  let shown = text;
  for (let round = 0; round < 4; round++) {
    expect(shown, name).not.toContain(KEY.slice(0, 14));
    expect(shown, name).not.toContain(KEY.slice(-14));
    expect(shown.toLowerCase(), name).not.toContain(SECOND.toLowerCase());
    shown = shown
      .replaceAll(/\\u([0-9a-f]{4})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
      .replaceAll(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
      .replaceAll(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
      .replaceAll('\\\\', '\\');
  }
}

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
    const told = await callSync('open/headers', { headers: { ...forged, 'accept-encoding': 'deflate' } });
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
      const { status: code, body } = await client.call('POST', '/api/task', {
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
    expect(await raw('GET', `/api/service/open${target}`)).toEqual([200, target]);
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
    const [code, text] = await raw('GET', `/api/service/open${target}`);
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
            ? (await client.call('POST', '/api/task', { service: 'open', path: target, payload: 1 })).status
            : (await raw('GET', `/api/service/open${target}`, '', 'latin1'))[0];
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
      const comes = (start: string) => backend.seen.filter((request) => request.target.startsWith(start));
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
        headers: { authorization: `Bearer ${token}` },
      })
        .on('response', ({ headers }) => resolve(headers['content-length']))
        .on('error', reject)
        .end();
    });
    expect(length).toBe('1234');
  });

  it('may be a QUERY, both ways', async () => {
    const told = await callSync('open/target/q', { method: 'QUERY', body: 'select' });
    expect([told.status, backend.seen.at(-1)?.method]).toEqual([200, 'QUERY']);
    const id = await client.submit({ service: 'open', method: 'QUERY', path: '/target/q', payload: { select: 1 } });
    expect(await client.task(id, 20)).toMatchObject({ status: 'succeeded' });
    expect(backend.seen).toContainEqual(expect.objectContaining({ method: 'QUERY', body: '{"select":1}' }));
  });

  it('made a task keeps a chunked body and the lack of a content type', async () => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('12345'));
        controller.close();
      },
    });
    const told = await callSync('open/target/later', {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { prefer: 'respond-async' },
    } as RequestInit & { headers: Record<string, string> });
    expect(told.status).toBe(202);
    expect(await client.task((JSON.parse(told.text) as { id: string }).id, 20)).toMatchObject({ status: 'succeeded' });
    const seen = backend.seen.findLast(({ target }) => target === '/target/later');
    expect(seen?.body).toBe('12345');
    expect(seen?.headers.has('content-type')).toBe(false);
  });

  it('is refused clearly when it wants a WebSocket, or has come in a circle', async () => {
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    const [code, text] = await raw('GET', '/api/service/open/target', upgrade);
    expect([code, text.includes('WebSocket')]).toEqual([400, true]);
    const [again, why] = await raw('GET', '/api/service/open/target', 'tasklane-hops: 4\r\n');
    expect([again, why.includes('tasklane-hops')]).toEqual([400, true]);
    await callSync('open/headers', { headers: { 'tasklane-hops': '2' } });
    expect(backend.seen.at(-1)?.headers.get('tasklane-hops')).toBe('3');
  });

  it('to a service at the address of the deployment itself is not taken', async () => {
    const admin = await Client.as(run.url, 'root', 'admin');
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
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'tasklane-hops': came },
        body: JSON.stringify(kind === 'tasks' ? { service: 'circle' } : {}),
      });
      response.writeHead(again.status).end(await again.text());
    });
    await new Promise<void>((resolve) => partner.listen(0, '127.0.0.1', resolve));
    try {
      const admin = await Client.as(run.url, 'root', 'admin');
      const baseUrl = `http://127.0.0.1:${(partner.address() as AddressInfo).port}`;
      expect((await admin.call('PUT', '/api/services/circle', { baseUrl, timeoutSeconds: 20 })).status).toBe(200);
      if (kind === 'tasks') await client.submit({ service: 'circle' });
      else expect((await callSync('circle/first', { method: 'POST', body: '{}' })).status).toBe(400);
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
    const admin = await Client.as(run.url, 'root', 'admin');
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
        statuses.push((await callSync(`${name}/x`, { method, ...(method === 'POST' && { body: 'work' }) })).status);
      }
      expect(statuses.sort()).toEqual(goesOn ? [200, 200] : [200, code]);
      expect(cut.seen.length).toBeGreaterThan(0);
    } finally {
      await Promise.all([cut.stop(), whole.stop()]);
    }
  });

  it('reaches one of two that read it and break off, and another where one refuses connections', async () => {
    const admin = await Client.as(run.url, 'root', 'admin');
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
      await register(backend.url, 'breaking');
      await register(others[0].url, 'breaking');
      const all = [backend, ...others];
      const reached = () => all.flatMap(({ seen }) => seen.filter(({ target }) => target === '/read-and-reset?twice'));
      const broken = await callSync('breaking/read-and-reset?twice', { method: 'POST', body: 'work' });
      expect([broken.status, reached().length]).toEqual([502, 1]);

      await register(gone.url, 'half-gone');
      await register(others[1].url, 'half-gone');
      await gone.stop();
      for (let time = 0; time < 4; time++) {
        const told = await callSync('half-gone/target/kept', { method: 'POST', body: 'work' });
        expect([told.status, told.text]).toEqual([200, '/target/kept']);
      }
    } finally {
      await Promise.all(others.map((each) => each.stop()));
    }
  });
});

describe('what a package shows', () => {
  const openai = (service: string) =>
    new OpenAI({ apiKey: token, baseURL: `${run.url}/api/service/${service}`, maxRetries: 0 });

  it('of a refusal is its words and code', async () => {
    await expect(openai('no-such-service').models.list()).rejects.toMatchObject({
      status: 404,
      code: 'service-not-found',
      message: expect.stringContaining('no-such-service'),
    });
    await expect(openai('refused').models.list()).rejects.toMatchObject({ status: 502, code: 'backend-unreachable' });
    const stranger = new OpenAI({ apiKey: 'no-token', baseURL: `${run.url}/api/service/open`, maxRetries: 0 });
    await expect(stranger.models.list()).rejects.toMatchObject({ status: 401, type: 'authentication_error' });
  });

  it('of a single key that is limited is the 429 of the backend, with its time', async () => {
    const told = await callSync('lone/limited', { method: 'POST', body: '{}' });
    expect([told.status, told.headers.get('retry-after'), told.text]).toEqual([
      429,
      '7',
      '{"error":{"message":"slow down"}}',
    ]);
  });
});

/** Over a socket of its own: a client's library would rewrite the target. */
function raw(method: string, target: string, more = '', encoding: BufferEncoding = 'utf8'): Promise<[number, string]> {
  const { hostname, port, host } = new URL(run.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () =>
      socket.write(
        Buffer.from(
          `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n${more.includes('Connection') ? more : `${more}Connection: close\r\n`}\r\n`,
          encoding,
        ),
      ),
    );
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('utf8');
      const [head = '', body] = text.split('\r\n\r\n');
      const length = /content-length: (\d+)/i.exec(head)?.[1];
      if (body !== undefined && length !== undefined && Buffer.byteLength(body) >= Number(length)) socket.destroy();
    });
    socket.on('close', () => {
      const [head = '', body = ''] = text.split('\r\n\r\n');
      resolve([Number(head.split(' ')[1]), body]);
    });
    socket.on('error', reject);
    socket.setTimeout(5_000, () => socket.destroy());
  });
}

it('no secret stands in the log', () => {
  expectNoSecret(logged.join('\n'), 'log');
});
