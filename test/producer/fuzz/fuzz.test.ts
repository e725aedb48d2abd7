/**
 * Every route of the API document, walked with values that fit and values that do not: nothing breaks, nothing
 * hangs, nothing is changed by a request that is refused, and what is accepted is there afterwards.
 *
 * 2,000 requests; `npm run fuzz` makes 50,000. `FUZZ_SEED=<seed>` makes the same ones again.
 */
import { env } from 'cloudflare:workers';
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import { apiDocument } from '../../../producer/document/document.ts';
import { memberText } from '../../../producer/json/scan.ts';
import type { Role } from '../../../shared/auth/role.ts';
import { app, ask, documentIn, environment, idFor, queueStub, tokenFor } from '../client.ts';
import { type FuzzedRequest, type Operation, type Parameter, requests, type Schema, type Schemas } from './requests.ts';

const { FUZZ_SEED, FUZZ_CASES } = env as unknown as { FUZZ_SEED: string; FUZZ_CASES: string };
const seed = FUZZ_SEED === '' ? Math.floor(Math.random() * 2 ** 31) : Number(FUZZ_SEED);
const cases = Number(FUZZ_CASES);

/** Far above what a request takes; a poll waits for less. */
const PATIENCE_MS = 10_000;
const MAX_WAIT = '0.01';

for (const level of ['log', 'warn', 'error'] as const) vi.spyOn(console, level).mockReturnValue(undefined);

const document = apiDocument(app);
const schemas = (document.components.schemas ?? {}) as Schemas;
const operations = Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
  Object.entries(item as Record<string, DocumentedOperation>).map(
    ([method, { parameters = [], requestBody }]): Operation => ({
      method: method.toUpperCase(),
      path,
      parameters,
      body: requestBody?.content['application/json']?.schema,
    }),
  ),
);

interface DocumentedOperation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
}

const queue = queueStub();
const here = environment({ ACCEPT: 'queue+record', TASK_QUEUE_0: queue, TASK_QUEUE_1: queue });

async function send({ operation, path, query, headers, body, role }: FuzzedRequest): Promise<Response> {
  const address = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(path[name]?.toWellFormed() ?? ''),
  );
  const bounded = { ...query, ...('wait' in query && Number(query.wait) > 0 && { wait: MAX_WAIT }) };
  const search = new URLSearchParams(bounded).toString();
  const printable = Object.entries(headers).filter(([, value]) => /^[\x20-\x7e]*$/.test(value));
  const token =
    operation.method === 'PUT' && operation.path.startsWith('/api/task/')
      ? 'token-of-an-attempt'
      : await tokenFor('alice', role as Role);
  return ask(here, search === '' ? address : `${address}?${search}`, {
    method: operation.method,
    token,
    ...(body !== undefined && { body: body.toWellFormed() }),
    headers: Object.fromEntries(printable),
  });
}

async function inTime<Value>(work: Promise<Value>): Promise<Value> {
  const late = new AbortController();
  const timer = scheduler.wait(PATIENCE_MS, { signal: late.signal }).then(
    () => Promise.reject(new Error(`no answer within ${PATIENCE_MS} ms`)),
    () => new Promise<never>(() => undefined),
  );
  return Promise.race([work, timer]).finally(() => late.abort());
}

/** All that requests can change, told apart by what is there. */
async function state(): Promise<string> {
  const token = await tokenFor('root', 'admin');
  const [services, servers, counts] = await Promise.all([
    ask(here, '/api/services', { token }).then((answer) => answer.text()),
    ask(here, '/api/servers', { token }).then((answer) => documentIn(answer)),
    env.TASK_DB_0.prepare(
      'SELECT (SELECT count(*) FROM tasks) AS tasks, (SELECT count(*) FROM revoked_tokens) AS revoked',
    ).first(),
  ]);
  const known = (
    servers.servers as { id: string; url: string; tier: number; weight: number; services: object[] }[]
  ).map(({ id, url, tier, weight, services: offered }) => [id, url, tier, weight, offered.length]);
  return JSON.stringify([services, known, counts, queue.sent.length]);
}

/** What was accepted is there as it was sent. */
async function expectListed(
  { operation: { method, path }, path: parameters, body = '' }: FuzzedRequest,
  answer: Response,
): Promise<void> {
  const token = await tokenFor('root', 'admin');
  const at = (address: string) => ask(here, address, { token }).then((response) => documentIn(response));
  switch (`${method} ${path}`) {
    case 'POST /api/task': {
      const { id, replayed } = await documentIn(answer);
      if (replayed === true) return;
      const sent = JSON.parse(body) as { service: string; labels?: object; contentType?: string };
      const listed = await at(`/api/task/${id}`);
      expect(listed).toMatchObject({
        id,
        service: sent.service,
        ...(sent.labels !== undefined && { labels: sent.labels }),
      });
      const payload = memberText(body, 'payload');
      const carried = queue.sent.at(-1)?.task;
      if (
        payload !== undefined &&
        sent.contentType === undefined &&
        carried?.id === id &&
        carried?.request.body?.encoding === 'json'
      ) {
        expect(carried.request.body.text).toBe(payload);
      }
      return;
    }
    case 'PUT /api/services/{name}': {
      const { services } = await at('/api/services');
      expect((services as { name: string }[]).map(({ name }) => name)).toContain(parameters.name);
      return;
    }
    case 'POST /api/servers': {
      const { id } = await documentIn(answer);
      expect(await at(`/api/servers/${id}`)).toMatchObject({ id });
      return;
    }
    case 'POST /api/tokens/revoke': {
      const { jti } = JSON.parse(body) as { jti: string };
      const row = await env.TASK_DB_0.prepare('SELECT jti FROM revoked_tokens WHERE jti = ?1').bind(jti).first();
      expect(row).toEqual({ jti });
    }
  }
}

it(
  `holds against ${cases} requests`,
  async () => {
    // biome-ignore lint/suspicious/noConsole: with the seed a run can be made again
    console.info(`fuzz: ${cases} requests over ${operations.length} operations, FUZZ_SEED=${seed}`);
    const ids = [await idFor('alice'), `tsk_${'0'.repeat(32)}`, 'srv_0000000000000000'];
    const seen = new Map<number, number>();
    let before = await state();
    const property = fc.asyncProperty(
      requests(
        operations,
        schemas,
        fc.nat().map((pick) => ids[pick % ids.length] ?? ''),
      ),
      async (request) => {
        const answer = await inTime(send(request));
        const { status } = answer;
        seen.set(status, (seen.get(status) ?? 0) + 1);
        const kept = answer.clone();
        if (status >= 500 && status !== 503) throw new Error(`${status}: ${await answer.text()}`);
        if (status >= 400) {
          expect(answer.headers.get('content-type')).toBe('application/problem+json');
          expect(await documentIn(answer)).toMatchObject({
            status,
            type: expect.stringMatching(/^\/docs\/problems\//),
          });
        }
        if (request.operation.method === 'GET') return;
        const after = await state();
        if (status >= 400) expect(after).toBe(before);
        else {
          await expectListed(request, kept.clone());
          const { id } = status === 204 ? {} : await documentIn(kept);
          if (typeof id === 'string') ids.push(id);
          if (ids.length > 40) ids.splice(3, 20);
        }
        before = await state();
      },
    );
    await fc.assert(property, { seed, numRuns: cases, endOnFailure: true });
    // biome-ignore lint/suspicious/noConsole: with the seed a run can be made again
    console.info(
      `fuzz: ${[...seen]
        .sort(([a], [b]) => a - b)
        .map(([status, count]) => `${count} × ${status}`)
        .join(', ')}`,
    );
    // The walk met both kinds: otherwise it shows nothing.
    expect([...seen.keys()]).toEqual(expect.arrayContaining([200, 202, 400, 403, 404]));
  },
  Math.max(120_000, cases * 40),
);
