/** Answers: JSON or a problem, neither cached nor sniffed. */
import { type ProblemCode, type ProblemDetails, problemResponse } from '../shared/problem/problem.ts';
import type { Runtime } from './runtime.ts';

const GUARDS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;
const JSON_HEADERS = { ...GUARDS, 'content-type': 'application/json' } as const;

/** When the database or a queue did not answer: long enough for a failover, short enough for a client. */
const RETRY_AFTER_SECONDS = 5;

export function answerJson(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return answerJsonText(JSON.stringify(value), status, headers);
}

export function answerJsonText(text: string, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(text, { status, headers: { ...JSON_HEADERS, ...headers } });
}

/** A 204. */
export function answerNothing(): Response {
  return new Response(null, { status: 204, headers: GUARDS });
}

export function refuse(
  code: ProblemCode,
  details: ProblemDetails = {},
  headers: Readonly<Record<string, string>> = {},
): Response {
  const response = problemResponse(code, details, { ...GUARDS, ...headers });
  problems.add(response);
  return response;
}

const problems = new WeakSet<Response>();

/** True for what `refuse` made; false for a problem that a backend answered. */
export function isOwnProblem(response: Response): boolean {
  return problems.has(response);
}

/** The 503 of a repeatable request. */
export function unavailable(detail: string): Response {
  return refuse('unavailable', { detail, retryAfterSeconds: RETRY_AFTER_SECONDS });
}

export function unauthenticated(detail: string, tokenOfRequest: boolean): Response {
  const challenge = tokenOfRequest ? 'Bearer realm="tasklane", error="invalid_token"' : 'Bearer realm="tasklane"';
  return refuse('unauthenticated', { detail }, { 'www-authenticate': challenge });
}

/** Where a task is polled: absolute when the deployment knows its own address, a path otherwise. */
export function statusUrlOf(runtime: Runtime, id: string): string {
  return `${runtime.config.publicUrl ?? ''}/api/task/${id}`;
}
