/**
 * Refusals of the synchronous route in the shape that packages of providers read, beside the problem
 * document: `error: { message, type, code }`, as OpenAI's and Anthropic's do. What a backend answered is
 * left as it is.
 */
import type { Context } from 'hono';
import type { ProblemDocument } from '../../shared/problem/problem.ts';
import type { AppEnv } from '../app.ts';
import { type Finish, replaceAnswer } from '../edge/finish.ts';

const PREFIX = '/api/service/';

const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

const backendAnswers = new WeakSet<Response>();

/** Marks an answer as a backend's. */
export function passedOn(response: Response): Response {
  backendAnswers.add(response);
  return response;
}

export function isOfBackend(response: Response): boolean {
  return backendAnswers.has(response);
}

export const speakToPackages: Finish = (c) => {
  if (!c.req.path.startsWith(PREFIX) || backendAnswers.has(c.res)) return undefined;
  return c.res.headers.get('content-type') === 'application/problem+json' ? addPackageError(c) : undefined;
};

async function addPackageError(c: Context<AppEnv>): Promise<void> {
  const { status, headers } = c.res;
  const problem = (await c.res.json()) as ProblemDocument;
  const code = problem.type.slice(problem.type.lastIndexOf('/') + 1);
  const type = TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error');
  const error = { message: problem.detail ?? problem.title, type, code, param: null };
  const answer = new Response(JSON.stringify({ ...problem, error }), { status, headers });
  answer.headers.delete('content-length');
  replaceAnswer(c, answer);
}
