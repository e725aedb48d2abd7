/** Lets a request through when its token is good and the access table allows its role. */
import { type Access, rightOf } from '../access.ts';
import { refuse, unauthenticated, unavailable } from '../answer/answer.ts';
import { refuseToken } from '../caller/wrong-token.ts';
import type { Guard } from './guards.ts';

const HOW_TO_SEND = 'Send a token: `Authorization: Bearer <token>`. `npm run token` makes one.';
const HOW_TO_SEND_AS_KEY =
  'Send a Tasklane token: `Authorization: Bearer <token>`, or in `x-goog-api-key` or `x-api-key`.';

/** Where packages of providers put their key. */
const KEY_HEADERS = ['x-goog-api-key', 'x-api-key'] as const;

/** What no route matches goes on, to be answered as not found. */
export const requireAccess: Guard = async (c, access) => {
  if (typeof access !== 'object') return undefined;
  const token = tokenOf(c.req.raw, access);
  if (token === undefined) return unauthenticated(access.tokenAsKey ? HOW_TO_SEND_AS_KEY : HOW_TO_SEND, false);
  const answer = await c.env.runtime.authenticator.authenticate(token, Date.now());
  if (!answer.ok) return answer.code === 'unavailable' ? unavailable(answer.detail) : refuseToken(c, answer.detail);
  const { principal } = answer;
  const right = rightOf(c.req.method, access, principal);
  if (!right.ok) return refuse('forbidden', { detail: right.why });
  c.set('principal', { ...principal, scope: right.scope });
  return undefined;
};

function tokenOf(request: Request, access: Exclude<Access, string>): string | undefined {
  return bearerToken(request) ?? (access.tokenAsKey ? keyHeaderToken(request) : undefined);
}

export function bearerToken(request: Request): string | undefined {
  return /^Bearer +([^\s]+) *$/i.exec(request.headers.get('authorization') ?? '')?.[1];
}

function keyHeaderToken(request: Request): string | undefined {
  return KEY_HEADERS.map((header) => request.headers.get(header)?.trim()).find((token) => token);
}

/** The token that a request shows, wherever; whether a route takes it there is not said. */
export function presentedToken(request: Request): string | undefined {
  return bearerToken(request) ?? keyHeaderToken(request);
}

/** Every header in which the request carries its token: none of them may go on to a backend. */
export function tokenHeaders(request: Request): string[] {
  const token = presentedToken(request);
  const carriers = KEY_HEADERS.filter((header) => request.headers.get(header)?.trim() === token);
  return ['authorization', ...carriers];
}
