/**
 * A backend as one might have it: an HTTP server that is quick, slow, flaky, busy or broken, or works
 * for a while and calls back. No dependencies. The demo, the tests and the benchmark call it.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readBody, send } from '../http.ts';
import { CallLog } from './call-log.ts';
import { runJob } from './job.ts';

export interface Backend {
  readonly url: string;
  readonly log: CallLog;
  stop(): Promise<void>;
}

/** One request, read; and what answers it. */
interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly body: string;
  /** `Idempotency-Key`: the task's id. */
  readonly key: string;
  /** Calls of this key so far, this one included. */
  readonly count: number;
}

type Route = (call: Call) => void | Promise<void>;

/** @param port 0 for any free one */
export async function startBackend(port = 0): Promise<Backend> {
  const log = new CallLog();
  const jobs = new Map<string, AbortController>();
  const routes = backendRoutes(log, jobs);
  const server = createServer((request, response) => {
    answer(routes, log, request, response).catch((error: Error) => send(response, 500, { error: error.message }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    stop: () => {
      for (const job of jobs.values()) job.abort();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(
  routes: Readonly<Record<string, Route>>,
  log: CallLog,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://backend');
  const route = routes[url.pathname] ?? routes[url.pathname.replace(/\/[^/]+$/, '/*')];
  if (route === undefined) return send(response, 404, { error: `no route ${url.pathname}` });
  const body = await readBody(request);
  if (body === undefined) return send(response, 413, { error: 'the body is too large' });
  const key = String(request.headers['idempotency-key'] ?? '');
  // Keys only come with tasks; what is asked about the backend itself is not counted.
  const count = key === '' ? 0 : log.recordCall(key);
  await route({ request, response, url, body, key, count });
}

function backendRoutes(log: CallLog, jobs: Map<string, AbortController>): Record<string, Route> {
  const succeed = ({ response, key }: Call, body: unknown) => {
    if (key !== '') log.recordSuccess(key);
    send(response, 200, body);
  };
  let opensAt: number | undefined;
  return {
    '/quick': (call) => succeed(call, { ok: true }),

    '/slow': async (call) => {
      const ms = numberOf(call, 'ms', 1500);
      await new Promise((resolve) => setTimeout(resolve, ms));
      // The caller gave up, because the task was cancelled or took too long: nobody sees a result.
      if (call.response.destroyed) return;
      succeed(call, { ok: true, tookMs: ms });
    },

    // Fails the first calls of each task, then works.
    '/flaky': (call) => {
      const failures = numberOf(call, 'failures', 2);
      if (call.count <= failures) return send(call.response, 500, { error: `call ${call.count} fails` });
      succeed(call, { ok: true, calls: call.count });
    },

    '/broken': ({ response }) => send(response, 422, { error: 'this input can never work' }),

    // Too much to do for the first calls of each task: says when to come back.
    '/busy': (call) => {
      if (call.count > numberOf(call, 'refusals', 1)) return succeed(call, { ok: true, calls: call.count });
      send(call.response, 429, { error: 'busy' }, { 'retry-after': String(numberOf(call, 'retryAfter', 2)) });
    },

    // Takes nothing for so many seconds from the first call on, whoever calls, and says when to come back.
    '/closed': (call) => {
      const seconds = numberOf(call, 'seconds', 2);
      opensAt ??= Date.now() + seconds * 1000;
      const waitMs = opensAt - Date.now();
      if (waitMs <= 0) return succeed(call, { ok: true, calls: call.count });
      send(call.response, 429, { error: 'closed' }, { 'retry-after': String(Math.ceil(waitMs / 1000)) });
    },

    // Fails by chance, in the ways that networks and servers do.
    '/random': (call) => {
      if (Math.random() >= numberOf(call, 'failRate', 0.1)) return succeed(call, { ok: true });
      const kind = Math.floor(Math.random() * 3);
      if (kind === 0) return send(call.response, 500, { error: 'bad luck' });
      if (kind === 1) return send(call.response, 503, { error: 'bad luck' });
      call.request.socket.destroy();
    },

    // Accepts, works, reports progress, reports the end.
    '/async': (call) => {
      const callbackUrl = call.request.headers['task-callback-url'];
      const callbackToken = call.request.headers['task-callback-token'];
      if (typeof callbackUrl !== 'string' || typeof callbackToken !== 'string') {
        return send(call.response, 400, { error: 'no address to call back to' });
      }
      const job = new AbortController();
      jobs.get(call.key)?.abort();
      jobs.set(call.key, job);
      const durationMs = numberOf(call, 'ms', 2000);
      const steps = numberOf(call, 'steps', 1);
      const outcome = call.url.searchParams.get('outcome') === 'failed' ? 'failed' : 'succeeded';
      send(call.response, 202, { accepted: true });
      runJob({ callbackUrl, callbackToken, durationMs, steps, outcome }, job.signal)
        .then((accepted) => accepted && log.recordSuccess(call.key))
        // Cancelled, or this server is going away: there is nobody left to tell.
        .catch(() => {})
        .finally(() => jobs.get(call.key) === job && jobs.delete(call.key));
    },

    // A task was cancelled while the work went on: DELETE /async/<task's id>.
    '/async/*': ({ request, response, url }) => {
      if (request.method !== 'DELETE') return send(response, 405, { error: 'DELETE only' }, { allow: 'DELETE' });
      const key = decodeURIComponent(url.pathname.split('/').at(-1) ?? '');
      const job = jobs.get(key);
      if (job !== undefined) log.recordCancelled(key);
      job?.abort();
      send(response, job === undefined ? 404 : 204);
    },

    '/echo': (call) => {
      // The callback's token is a secret between Tasklane and this backend; a result is not.
      const { 'task-callback-token': _, ...headers } = call.request.headers;
      const { method } = call.request;
      succeed(call, { method, path: call.url.pathname + call.url.search, headers, body: call.body });
    },

    '/_log': ({ response }) => send(response, 200, log.report()),

    '/_reset': ({ response }) => {
      log.reset();
      send(response, 204);
    },
  };
}

function numberOf({ url }: Call, name: string, fallback: number): number {
  const text = url.searchParams.get(name);
  const value = Number(text);
  return text === null || !Number.isFinite(value) || value < 0 ? fallback : value;
}
