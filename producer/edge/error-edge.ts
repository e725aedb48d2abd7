/**
 * The one error edge: what no route answered, and what none expected. An unknown exception becomes a
 * fixed text with a request id; its cause goes to the log and never out.
 */
import type { Hook } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { logError } from '../../shared/log.ts';
import { refuse } from '../answer/answer.ts';
import { invalidRequest } from '../answer/field-errors.ts';
import type { App, AppEnv } from '../app.ts';
import { methodsOf } from './methods.ts';
import { requestIdOf } from './request-id.ts';

/** What a schema refused, as a problem that names each field. */
export const refuseInvalid: Hook<unknown, AppEnv, string, Response | undefined> = (result) => {
  if (result.success) return undefined;
  const kind = result.target === 'json' ? 'body' : 'parameter';
  return refuse('invalid-request', invalidRequest(result.error.issues, kind));
};

export function guardErrors(app: App): void {
  app.onError((error, c) => answerError(error, c));
  app.notFound((c) => answerUnmatched(app, c));
}

function answerError(error: Error, c: Context<AppEnv>): Response {
  // The validator is stricter about media types than the reading of bodies.
  if (error instanceof HTTPException && error.status === 415) return refuse('unsupported-media-type');
  logError('request.failed', { requestId: requestIdOf(c), method: c.req.method, path: c.req.path }, error);
  return refuse('internal', { detail: 'The cause is in the log under the request id.' });
}

function answerUnmatched(app: App, c: Context<AppEnv>): Response {
  const methods = methodsOf(app.routes, c.req.path);
  if (methods.length === 0) return refuse('not-found', { detail: 'See /docs for what there is.' });
  const allow = methods.join(', ');
  if (c.req.method === 'OPTIONS') return new Response(null, { status: 204, headers: { allow } });
  return refuse('method-not-allowed', { detail: `${c.req.path} answers ${allow}.` }, { allow });
}
