/** The client against a real HTTP server that answers as it is told. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { ApiError, CloudflareApi } from '../../deploy/account/api.ts';

interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Nobody answers. */
  readonly silent?: boolean;
}

const ok = (result: unknown = {}): Answer => ({ status: 200, body: { success: true, errors: [], result } });
const broken: Answer = {
  status: 500,
  body: { success: false, errors: [{ code: 1, message: 'broken' }], result: null },
};

let server: Server;
let answers: Answer[];
let asked: string[];
let pauses: string[];

beforeEach(async () => {
  [answers, asked, pauses] = [[], [], []];
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const answer = answers.shift() ?? ok();
    if (answer.silent) return;
    response.writeHead(answer.status, answer.headers);
    response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function api(timeoutMs = 5_000): CloudflareApi {
  return new CloudflareApi({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accountId: 'acc',
    token: 'secret-token',
    pausesMs: [1, 1],
    timeoutMs,
    onPause: (line) => pauses.push(line),
  });
}

describe('what may be repeated', () => {
  it('is, after 500 and 429, and says so', async () => {
    answers = [broken, { ...broken, status: 429 }, ok({ n: 1 })];
    expect(await api().get('/x', z.object({ n: z.number() }))).toEqual({ n: 1 });
    expect(asked).toHaveLength(3);
    expect(pauses[0]).toBe('GET /x: 500 broken (1); again in 1 s');
  });

  it('is, when nobody answers in time', async () => {
    answers = [{ status: 0, silent: true }, ok({ n: 2 })];
    expect(await api(500).get('/x', z.object({ n: z.number() }))).toEqual({ n: 2 });
    expect(pauses[0]).toContain('no answer in time');
  });

  it('is given up after the last pause', async () => {
    answers = [broken, broken, broken, ok()];
    await expect(api().put('/x', {})).rejects.toThrow('PUT /x: 500 broken (1)');
    expect(asked).toHaveLength(3);
  });

  it('waits as long as Retry-After says, or not at all when that is too long', async () => {
    answers = [{ ...broken, status: 429, headers: { 'retry-after': '3600' } }];
    await expect(api().get('/x', z.unknown())).rejects.toThrow(/429/);
    expect(asked).toHaveLength(1);
  });

  it('is not a refusal', async () => {
    answers = [{ status: 403, body: { success: false, errors: [{ code: 10000, message: 'no' }], result: null } }];
    await expect(api().get('/x', z.unknown())).rejects.toMatchObject({ status: 403, isPassing: false });
    expect(asked).toHaveLength(1);
  });

  it('is not a POST', async () => {
    answers = [broken];
    await expect(api().post('/x', {})).rejects.toThrow(ApiError);
    expect(asked).toHaveLength(1);
  });
});

describe('answers', () => {
  it('of several pages are put together', async () => {
    const page = (result: unknown) => ({
      status: 200,
      body: { success: true, errors: [], result, result_info: { total_pages: 2 } },
    });
    answers = [page([{ n: 1 }]), page([{ n: 2 }])];
    expect(await api().list('/x', z.object({ n: z.number() }))).toEqual([{ n: 1 }, { n: 2 }]);
    expect(asked).toEqual(['GET /accounts/acc/x?page=1&per_page=100', 'GET /accounts/acc/x?page=2&per_page=100']);
  });

  it('that say 404 mean that there is none, and that a deletion is done', async () => {
    const missing = { status: 404, body: { success: false, errors: [{ code: 7, message: 'none' }], result: null } };
    answers = [missing, missing];
    expect(await api().find('/x', z.unknown())).toBeUndefined();
    await expect(api().delete('/x')).resolves.toBeUndefined();
  });

  it('that are no JSON, or of an unknown form, are errors that say so', async () => {
    answers = [{ status: 200, body: '<html>' }];
    await expect(api().get('/x', z.unknown())).rejects.toThrow('GET /x: 200 the answer is not from the API');
    answers = [ok({ other: 1 })];
    await expect(api().get('/x', z.object({ n: z.number() }))).rejects.toThrow(/unknown form: n/);
  });

  it('never put the token into a message', async () => {
    answers = [broken, broken, broken];
    await expect(api().get('/x', z.unknown())).rejects.toSatisfy((error) => !String(error).includes('secret-token'));
  });
});
