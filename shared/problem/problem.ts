/**
 * Problem documents (RFC 9457): the one error edge. Every code has a stable `type`, a status and a
 * title; what is not a code becomes a fixed 500 text, and its cause goes to the log, never out.
 */

export const PROBLEMS = {
  'invalid-request': { status: 400, title: 'The request is not valid' },
  'malformed-body': { status: 400, title: 'The body cannot be read' },
  unauthenticated: { status: 401, title: 'A valid token is needed' },
  'link-not-valid': { status: 403, title: 'The link is not valid' },
  forbidden: { status: 403, title: 'The token does not allow this' },
  'not-found': { status: 404, title: 'There is nothing here' },
  'task-not-found': { status: 404, title: 'There is no such task' },
  'service-not-found': { status: 404, title: 'There is no such service' },
  'key-not-found': { status: 404, title: 'There is no such key' },
  'body-not-found': { status: 404, title: 'There is no such body' },
  'schedule-not-found': { status: 404, title: 'There is no such schedule' },
  'group-not-found': { status: 404, title: 'There is no such group' },
  'flow-not-found': { status: 404, title: 'There is no such flow' },
  'job-not-found': { status: 404, title: 'There is no such job' },
  'server-not-found': { status: 404, title: 'There is no such server' },
  'method-not-allowed': { status: 405, title: 'This address does not answer that method' },
  'stale-attempt': { status: 409, title: 'The attempt is no longer the current one' },
  'task-finished': { status: 409, title: 'The task has already ended' },
  'not-retryable': { status: 409, title: 'Only a failed or expired task can be retried' },
  'upload-complete': { status: 409, title: 'The upload is complete already' },
  'upload-used': { status: 409, title: 'The upload belongs to another task' },
  'group-closed': { status: 409, title: 'The group is closed' },
  'service-busy': { status: 409, title: 'The service has work to do' },
  'not-heartbeat-leader': { status: 409, title: 'Another server leads the cluster' },
  'too-many-requests': { status: 429, title: 'Too many requests' },
  'headers-too-large': { status: 431, title: 'The headers are too large' },
  'quota-exceeded': { status: 429, title: 'Your quota at this service is used up' },
  'too-many-wrong-tokens': { status: 429, title: 'Too many wrong tokens' },
  'body-too-large': { status: 413, title: 'The body is too large' },
  'unsupported-media-type': { status: 415, title: 'The body must be JSON' },
  'unknown-service': { status: 422, title: 'There is no such service' },
  'idempotency-key-reused': { status: 422, title: 'The idempotency key belongs to another submission' },
  internal: { status: 500, title: 'Something went wrong on our side' },
  'backend-unreachable': { status: 502, title: 'The backend could not be reached' },
  'backend-unreadable': { status: 502, title: "The backend's answer cannot be passed on" },
  'no-capacity': { status: 503, title: 'Nothing can take the call now' },
  'backend-timeout': { status: 504, title: 'The backend did not answer in time' },
  misconfigured: { status: 503, title: 'The deployment is not configured' },
  'storage-full': { status: 503, title: 'The storage is full' },
  unavailable: { status: 503, title: 'Not available at the moment' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

export interface FieldError {
  /** JSON pointer into the body, or the parameter's name. */
  readonly field: string;
  readonly reason: string;
}

export interface ProblemDetails {
  readonly detail?: string;
  readonly errors?: readonly FieldError[];
  /** Seconds after which a repeat makes sense. */
  readonly retryAfterSeconds?: number;
  /** The quotas that are used up, as `RateLimit` names them (draft-ietf-httpapi-ratelimit-headers-11, section 5.1). */
  readonly 'violated-policies'?: readonly string[];
  /** Finds the request in the log. */
  readonly requestId?: string;
}

export interface ProblemDocument extends ProblemDetails {
  readonly type: string;
  readonly title: string;
  readonly status: number;
}

/** Below the deployment's own address: a reader resolves it against the request's (RFC 9457, section 3.1.1). */
const PROBLEM_TYPE_PREFIX = '/docs/problems/';

export function problemDocument(code: ProblemCode, details: ProblemDetails = {}): ProblemDocument {
  const { status, title } = PROBLEMS[code];
  return { type: PROBLEM_TYPE_PREFIX + code, title, status, ...details };
}

export function problemResponse(code: ProblemCode, details: ProblemDetails = {}, headers: HeadersInit = {}): Response {
  const response = new Response(JSON.stringify(problemDocument(code, details)), {
    status: PROBLEMS[code].status,
    headers,
  });
  response.headers.set('content-type', 'application/problem+json');
  if (details.retryAfterSeconds !== undefined) {
    response.headers.set('retry-after', String(Math.ceil(details.retryAfterSeconds)));
  }
  return response;
}
