/**
 * Names each request, so that what its sender was told can be found in the log: by the id of the platform
 * (`cf-ray`, which its own logs have), or one of ours. Every problem that the app answers carries it; what
 * a backend answered on the synchronous route is not ours to change.
 */
import type { Context } from 'hono';
import { logWarning } from '../../shared/log.ts';
import type { ProblemDocument } from '../../shared/problem/problem.ts';
import { isOwnProblem } from '../answer/answer.ts';
import type { AppEnv } from '../app.ts';
import { type Finish, replaceAnswer } from './finish.ts';

const FIRST_STATUS_TO_LOG = 500;

export function newRequestId(request: Request): string {
  return request.headers.get('cf-ray') ?? crypto.randomUUID();
}

/** Made when it is asked for: most requests are never spoken of. */
export function requestIdOf(c: Context<AppEnv>): string {
  const known = c.get('requestId');
  if (known !== undefined) return known;
  const requestId = newRequestId(c.req.raw);
  c.set('requestId', requestId);
  return requestId;
}

export const nameProblem: Finish = (c) => (isOwnProblem(c.res) ? addRequestId(c) : undefined);

async function addRequestId(c: Context<AppEnv>): Promise<void> {
  const requestId = requestIdOf(c);
  const { status, headers } = c.res;
  if (status >= FIRST_STATUS_TO_LOG) {
    logWarning('request.refused', { requestId, status, method: c.req.method, path: c.req.path });
  }
  const document = await c.res.json<ProblemDocument>();
  replaceAnswer(c, new Response(JSON.stringify({ ...document, requestId }), { status, headers }));
}
