/** The client against a real HTTP server that answers as it is told. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { CloudflareApi } from '../../deploy/account/api.ts';
import { ApiError } from '../../deploy/account/api-error.ts';
import type { Clock } from '../../deploy/account/pace.ts';

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

function api(timeoutMs = 5_000, clock?: Clock): CloudflareApi {
  return new CloudflareApi({
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    accountId: 'acc',
    token: 'secret-token',
    pausesMs: [1, 1],
    timeoutMs,
    ...(clock !== undefined && { clock }),
    onPause: (line) => pauses.push(line),
  });
}

/** Time that passes only where somebody waits. */
function virtualClock() {
  const slept: number[] = [];
  let now = 0;
  const clock: Clock = {
    now: () => now,
    sleep: (ms) => {
      slept.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
  return { clock, slept };
}

describe('what the token may not do', () => {
  const denied: Answer = {
    status: 403,
    body: { success: false, errors: [{ code: 10000, message: 'Authentication error' }], result: null },
  };

  it.each([
    ['/queues?page=1', 'Queues: Edit'],
    ['/d1/database', 'D1: Edit'],
    ['/r2/buckets/b', 'Workers R2 Storage: Edit'],
    ['/workers/scripts/w/schedules', 'Workers Scripts: Edit'],
    ['/workers/scripts/w/domains/records', 'Workers Scripts: Edit, and on the zone Workers Routes: Edit and DNS: Edit'],
    ['/workers/observability/telemetry/query', 'Workers Observability: Edit'],
  ])('is said of %s with the permission that it needs: %s', async (path, permission) => {
    answers = [denied];
    await expect(api().get(path, z.unknown())).rejects.toThrow(
      `403 Authentication error (10000): CLOUDFLARE_API_TOKEN needs ${permission}, for this account`,
    );
    expect(asked).toHaveLength(1);
  });

  it('is nothing at all when the token is not accepted', async () => {
    answers = [{ ...denied, status: 401 }];
    await expect(api().get('/queues', z.unknown())).rejects.toThrow(/CLOUDFLARE_API_TOKEN is wrong, has expired/);
  });
});

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

  it('is after a refusal for five minutes, and everybody waits', async () => {
    const { clock, slept } = virtualClock();
    answers = [{ ...broken, status: 429, headers: { 'retry-after': '300' } }, ok({ n: 1 })];
    expect(await api(5_000, clock).get('/x', z.object({ n: z.number() }))).toEqual({ n: 1 });
    expect(slept).toEqual([300_000]);
  });

  it.each([404, 409])('is after %i for half a minute, when something was just made', async (status) => {
    const { clock, slept } = virtualClock();
    const unsettled = { ...broken, status };
    const client = api(5_000, clock);
    await clock.sleep(30_000);
    slept.length = 0;
    answers = [unsettled];
    await expect(client.put('/x', {})).rejects.toThrow(ApiError);
    await client.post('/thing', {}, z.unknown());
    answers = [unsettled, unsettled];
    await client.put('/x', {});
    expect(slept).toEqual([1_000, 2_000]);
    await clock.sleep(30_000);
    answers = [unsettled];
    await expect(client.put('/x', {})).rejects.toThrow(ApiError);
  });

  it('is not a refusal', async () => {
    answers = [{ status: 403, body: { success: false, errors: [{ code: 10000, message: 'no' }], result: null } }];
    await expect(api().get('/x', z.unknown())).rejects.toMatchObject({ status: 403, isPassing: false });
    expect(asked).toHaveLength(1);
  });

  it('is not a POST', async () => {
    answers = [broken];
    await expect(api().post('/x', {}, z.unknown())).rejects.toThrow(ApiError);
    expect(asked).toHaveLength(1);
  });
});

describe('answers', () => {
  const page = (from: number, count: number, info: object): Answer => ({
    status: 200,
    body: {
      success: true,
      errors: [],
      result: Array.from({ length: count }, (_, index) => ({ n: from + index })),
      result_info: info,
    },
  });

  it.each([
    ['the count of pages', { total_pages: 2 }, { total_pages: 2 }],
    ['the count of items alone', { count: 100, per_page: 100, total_count: 101 }, { count: 1, total_count: 101 }],
    ['no count at all', { page: 1, per_page: 100 }, { page: 2, per_page: 100 }],
  ])('of several pages are put together, told %s', async (_, first, second) => {
    answers = [page(0, 100, first), page(100, 1, second)];
    expect(await api().list('/x', z.object({ n: z.number() }))).toHaveLength(101);
    expect(asked).toEqual(['GET /accounts/acc/x?page=1&per_page=100', 'GET /accounts/acc/x?page=2&per_page=100']);
  });

  it('of one page are not asked for again', async () => {
    answers = [page(0, 3, {})];
    expect(await api().list('/x', z.object({ n: z.number() }))).toHaveLength(3);
    expect(asked).toHaveLength(1);
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

describe('many calls', () => {
  it('keep below what the API allows in five minutes, and it is said why they wait', async () => {
    const { clock, slept } = virtualClock();
    const client = api(5_000, clock);
    for (let call = 0; call < 1_101; call++) await client.get('/x', z.unknown());
    expect(slept).toEqual([300_000]);
    expect(pauses).toEqual([expect.stringContaining('1100 calls in five minutes')]);
  });
});
