/** Answers: JSON or a problem. What every answer carries beside it is said in `security-headers.ts`. */
import { type ProblemCode, type ProblemDetails, problemResponse } from '../../shared/problem/problem.ts';
import type { Runtime } from '../runtime.ts';
import { answersWith } from './security-headers.ts';

const noContent = answersWith(204);

const ofJson = (status: number) => answersWith(status, { 'content-type': 'application/json' });

const jsonAnswers = { 200: ofJson(200), 201: ofJson(201), 202: ofJson(202) } as const;
type JsonStatus = keyof typeof jsonAnswers;

/** When the database or a queue did not answer: long enough for a failover, short enough for a client. */
const RETRY_AFTER_SECONDS = 5;

export function answerJson(
  value: unknown,
  status: JsonStatus = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return answerJsonText(JSON.stringify(value), status, headers);
}

export function answerJsonText(
  text: string,
  status: JsonStatus = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const response = jsonAnswers[status](text);
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}

/** A 204. */
export function answerNothing(): Response {
  return noContent(null);
}

export function refuse(
  code: ProblemCode,
  details: ProblemDetails = {},
  headers: Readonly<Record<string, string>> = {},
): Response {
  const response = problemResponse(code, details, headers);
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
