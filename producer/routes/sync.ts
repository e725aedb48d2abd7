/**
 * `ANY /api/service/:name/*`: a request goes through to one of the service's servers, with a key of its
 * pool, and the answer comes back as it is made. `Prefer: respond-async` makes it a task.
 */
import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { RequestTargetSchema } from '../../shared/service/definition.ts';
import { readBounded } from '../../shared/sync/bounded-read.ts';
import { type Declined, hopsOf, MAX_HELD_BYTES } from '../../shared/sync/call.ts';
import { MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { refuse } from '../answer/answer.ts';
import type { App, AppEnv } from '../app.ts';
import { refusalOfServices } from '../caller/limited-token.ts';
import { tokenHeaders } from '../edge/presented-token.ts';
import { answers } from '../schema/problem.ts';
import { CALL_BODY, CallParamsSchema } from '../schema/sync.ts';
import { loadServices } from '../services/services.ts';
import { answerWithTask } from '../sync/answer-with-task.ts';
import { type CallRequest, dispatchCall } from '../sync/dispatch.ts';
import { preferenceOf } from '../sync/prefer.ts';
import { refuseDeclined, unknownServiceCall } from '../sync/refusal.ts';
import { passedOn } from '../sync/sdk-error.ts';

const PREFIX = '/api/service/';

const route = (method: 'get' | 'post') =>
  createRoute({
    method,
    path: '/api/service/{name}/{path}',
    operationId: method === 'get' ? 'getFromService' : 'callService',
    tags: ['services'],
    summary: 'Call a service and wait for its answer',
    description:
      'Any method, headers, query and body go through to a server of the service, with a key of its pool; the answer ' +
      "streams back. The token may stand in the header in which the provider's own package sends its key: `Authorization`, " +
      '`x-goog-api-key` or `x-api-key`. `Prefer: respond-async` makes the request a task; with `wait=SECONDS` only when ' +
      'nothing is free by then.',
    request: { params: CallParamsSchema, ...(method === 'post' && { body: CALL_BODY }) },
    responses: answers(
      {
        200: { description: "The service's own answer, whatever its status." },
        202: { description: 'Made into a task; `Location` is where it is polled.' },
      },
      'invalid-request',
      'service-not-found',
      'body-too-large',
      'backend-unreachable',
      'backend-unreadable',
      'quota-exceeded',
      'no-capacity',
      'backend-timeout',
      'storage-full',
    ),
  });

export function addSync(app: App): void {
  for (const method of ['get', 'post'] as const) app.openAPIRegistry.registerPath(route(method));
  app.all(`${PREFIX}:name`, answerCall);
  app.all(`${PREFIX}:name/*`, answerCall);
}

async function answerCall(c: Context<AppEnv>): Promise<Response> {
  const { runtime } = c.env;
  const request = c.req.raw;
  const name = c.req.param('name') ?? '';
  const caller = c.get('principal');
  const notForToken = refusalOfServices(caller, name);
  if (notForToken !== undefined) return refuse(notForToken.code, notForToken.details);
  const services = await loadServices(c, [name]);
  const service = services.find(name);
  if (service === undefined) return unknownServiceCall(services.all, name, caller);

  const below = targetBelow(request.url);
  const path = below === '' || below === '/' ? service.path : below.startsWith('?') ? service.path + below : below;
  // The service's own was checked with its definition.
  const checked = path === service.path ? undefined : RequestTargetSchema.safeParse(path);
  if (checked?.success === false)
    return refuse('invalid-request', { detail: `path: ${checked.error.issues[0]?.message}` });
  const refusal = refusalOf(request);
  if (refusal !== undefined) return refuse('invalid-request', { detail: refusal });

  const { respondAsync, waitSeconds } = preferenceOf(request.headers.get('prefer'));
  const call = await callRequestOf(request, path, respondAsync);
  if (respondAsync && waitSeconds === undefined) return answerWithTask(c, name, call, false);
  const patientUntil = Date.now() + (waitSeconds ?? 0) * 1000;
  const syncCall = {
    id: crypto.randomUUID(),
    service: name,
    servicesVersion: services.version,
    patientUntil,
    hops: hopsOf(request.headers),
  };
  const dispatched = await dispatchCall(runtime, syncCall, call);
  if (dispatched.kind === 'answered') return passedOn(dispatched.response);
  if (respondAsync && isOverloaded(dispatched.declined)) return answerWithTask(c, name, call, true);
  if (dispatched.answer !== undefined) return passedOn(dispatched.answer);
  return refuseDeclined(runtime, caller, name, dispatched.declined);
}

/** What follows the service's name in a request's address, byte for byte: a parser would rewrite it. */
function targetBelow(url: string): string {
  const from = url.indexOf(PREFIX, url.indexOf('://') + 3) + PREFIX.length;
  // The name may be escaped.
  return url.slice(from).replace(/^[^/?]*/, '');
}

/** What cannot go through, and what there is instead. */
function refusalOf(request: Request): string | undefined {
  const { method, headers } = request;
  if (/(?:^|,)\s*websocket\s*(?:,|$)/i.test(headers.get('upgrade') ?? '')) {
    return 'A WebSocket does not go through the synchronous route; the answer streams to an ordinary request (server-sent events, for example).';
  }
  const isBodiless = method === 'GET' || method === 'HEAD';
  return isBodiless && request.body !== null ? `A ${method} carries no body; choose another method.` : undefined;
}

/**
 * Small bodies are held, so that the call can go to another shard. One of unknown length is looked into
 * where it may become a task, which has to hold it.
 */
async function callRequestOf(request: Request, path: string, mayBecomeTask: boolean): Promise<CallRequest> {
  const headers = new Headers(request.headers);
  for (const name of tokenHeaders(request.headers)) headers.delete(name);
  const body = await bodyOf(request, mayBecomeTask);
  return { method: request.method, path, headers, body, signal: request.signal };
}

async function bodyOf(request: Request, mayBecomeTask: boolean): Promise<CallRequest['body']> {
  const length = Number(request.headers.get('content-length') ?? Number.NaN);
  // To ask for the stream of a body costs as much as to read a small one.
  if (length <= MAX_HELD_BYTES && (length > 0 || request.body !== null)) return request.arrayBuffer();
  return mayBecomeTask && Number.isNaN(length) && request.body !== null ? boundedBody(request) : request.body;
}

async function boundedBody(request: Request): Promise<CallRequest['body']> {
  const read = await readBounded(request, MAX_INLINE_BYTES);
  return 'whole' in read ? read.whole.slice().buffer : read.stream;
}

/** True when no backend has been asked: it may be asked later. */
function isOverloaded({ why }: Declined): boolean {
  return why !== 'timeout' && why !== 'misconfigured' && why !== 'unreachable' && why !== 'unreadable';
}
