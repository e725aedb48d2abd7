/**
 * The bodies of a task as they are: `GET /api/task/:id/result` and `…/payload`, and links to them that need no token.
 */
import { createRoute } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { readTask } from '../../shared/store/read.ts';
import type { TaskRow } from '../../shared/store/row.ts';
import { answerJson, unavailable } from '../answer/answer.ts';
import type { App, AppEnv } from '../app.ts';
import { downloadLink } from '../bodies/links.ts';
import { bodyNotFound, sendBytes, sendObject } from '../bodies/send-body.ts';
import { payloadBody, resultBody, type TaskBody } from '../bodies/task-bodies.ts';
import { mayName, owns, taskNotFound } from '../caller/ownership.ts';
import { MAX_TASK_BODY_BYTES, readsJson } from '../json/body.ts';
import { LinkRequestSchema, LinkSchema } from '../schema/body.ts';
import { answers, BODY_PROBLEMS, jsonAnswer, jsonBody } from '../schema/problem.ts';
import { TaskParamsSchema } from '../schema/task.ts';
import { loadServices } from '../services/services.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

type Which = 'payload' | 'result';

const LINK_SECONDS = 3_600;

const download = (which: Which) =>
  createRoute({
    method: 'get',
    path: `/api/task/{id}/${which}`,
    operationId: which === 'result' ? 'getResult' : 'getPayload',
    tags: ['tasks'],
    summary: `Download the ${which} of a task`,
    description: 'Byte for byte, with its media type, whatever its size; streamed. `Range` is honoured for large ones.',
    request: { params: TaskParamsSchema },
    responses: answers(
      { 200: { description: 'The body, as a file.' }, 206: { description: 'The range of it that was asked for.' } },
      'invalid-request',
      'task-not-found',
      'body-not-found',
    ),
  });

const linkRoute = createRoute({
  method: 'post',
  path: '/api/task/{id}/links',
  operationId: 'createLink',
  tags: ['tasks'],
  summary: 'Ask for a link to a body of a task',
  description:
    'For a browser, or for somebody without a token: whoever has the link may download the body until it expires.',
  middleware: [readsJson(MAX_TASK_BODY_BYTES)],
  request: { params: TaskParamsSchema, body: jsonBody(LinkRequestSchema) },
  responses: answers(
    { 201: jsonAnswer(LinkSchema, 'The link.') },
    ...BODY_PROBLEMS,
    'task-not-found',
    'body-not-found',
  ),
});

export function addTaskBodies(app: App): void {
  for (const which of ['result', 'payload'] as const) {
    app.openapi(download(which), async (c) => {
      const found = await findBody(c, c.req.valid('param').id, which);
      if (found instanceof Response) return found;
      if (found.kind === 'inline') return sendBytes(found.type, found.bytes);
      const { bodies } = c.env.runtime.config;
      if (bodies === undefined) return bodyNotFound(NO_BUCKET);
      const { key, type } = found.stored;
      const answer = await callUpstream('bucket', () => sendObject(bodies, key, c.req.raw, type));
      return answer === UNAVAILABLE ? unavailable('The bucket does not answer at the moment.') : answer;
    });
  }

  app.openapi(linkRoute, async (c) => {
    const { body, expiresInSeconds = LINK_SECONDS } = c.req.valid('json');
    const found = await findBody(c, c.req.valid('param').id, body);
    if (found instanceof Response) return found;
    if (found.kind === 'inline') return bodyNotFound(`The ${body} is small: it is in the answer to a poll.`);
    const { key, type, bytes } = found.stored;
    const expires = Math.floor(Date.now() / 1000) + expiresInSeconds;
    const url = await downloadLink(c.env.runtime, key, expires);
    return answerJson({ url, bytes, contentType: type, expiresAt: new Date(expires * 1000).toISOString() }, 201);
  });
}

const NO_BUCKET =
  'The body lies in a bucket that this deployment is not bound to any more (r2_buckets in wrangler.toml).';

async function findBody(c: Context<AppEnv>, id: string, which: Which): Promise<TaskBody | Response> {
  const { runtime } = c.env;
  const principal = c.get('principal');
  if (!(await mayName(runtime, principal, id))) return taskNotFound();
  const row = await callUpstream('database', () => readTask(runtime.config.stores.of(id), id));
  if (row === UNAVAILABLE) return unavailable('The task cannot be read at the moment.');
  if (row === undefined || !owns(principal, row)) return taskNotFound();
  await loadServices(c, [row.service]);
  const hidesBodies = runtime.services.find(row.service)?.redactBodies === true;
  if (hidesBodies && (which === 'payload' || row.subject !== principal.subject)) {
    return bodyNotFound('The service of the task keeps its bodies out of sight (redactBodies).');
  }
  const body = which === 'result' ? resultBody(row) : payloadBody(row);
  return body ?? bodyNotFound(whyNone(row, which));
}

function whyNone({ status, bodies_deleted_at }: TaskRow, which: Which): string {
  if (bodies_deleted_at !== null) {
    return `The bodies of the task were deleted at ${new Date(bodies_deleted_at).toISOString()} (BODY_RETENTION_DAYS).`;
  }
  if (which === 'payload') return 'The task was submitted without a payload.';
  return status === 'succeeded' ? 'The task succeeded without a result.' : `The task is ${status}; it has no result.`;
}
