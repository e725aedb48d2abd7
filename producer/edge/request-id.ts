/**
 * Names each request, so that what its sender was told can be found in the log: by the id of the platform
 * (`cf-ray`, which its own logs have), or one of ours. Every problem that the app answers carries it; what
 * a backend answered on the synchronous route is not ours to change.
 */
import type { MiddlewareHandler } from 'hono';
import { logWarning } from '../../shared/log.ts';
import type { ProblemDocument } from '../../shared/problem/problem.ts';
import { isOwnProblem } from '../answer/answer.ts';
import type { AppEnv } from '../app.ts';

const FIRST_STATUS_TO_LOG = 500;

export function requestIdOf(request: Request): string {
  return request.headers.get('cf-ray') ?? crypto.randomUUID();
}

/** The outermost middleware. */
export const nameRequests: MiddlewareHandler<AppEnv> = async (c, next) => {
  const requestId = requestIdOf(c.req.raw);
  c.set('requestId', requestId);
  await next();
  if (!isOwnProblem(c.res)) return;
  const { status, headers } = c.res;
  if (status >= FIRST_STATUS_TO_LOG) {
    logWarning('request.refused', { requestId, status, method: c.req.method, path: c.req.path });
  }
  const document = await c.res.json<ProblemDocument>();
  c.res = undefined;
  c.res = new Response(JSON.stringify({ ...document, requestId }), { status, headers });
};
