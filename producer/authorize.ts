/** Lets a request through when its token is good and its role is one of those that the route allows. */
import type { MiddlewareHandler } from 'hono';
import type { Role } from '../shared/auth/token.ts';
import { refuse, unauthenticated, unavailable } from './answer.ts';
import type { AppEnv } from './app.ts';

const HOW_TO_SEND = 'Send a token: `Authorization: Bearer <token>`. `npm run token` makes one.';

export function allows(...roles: readonly Role[]): MiddlewareHandler<AppEnv> {
  return authorizes(roles, bearerToken, HOW_TO_SEND);
}

/**
 * The same for the synchronous route, where a provider's own package sends the token as if it were one
 * of the provider's keys.
 */
export function allowsAsKey(...roles: readonly Role[]): MiddlewareHandler<AppEnv> {
  return authorizes(
    roles,
    (request) => bearerToken(request) ?? keyHeaderToken(request),
    'Send a Tasklane token: `Authorization: Bearer <token>`, or in `x-goog-api-key` or `x-api-key`.',
  );
}

/** Where packages of providers put their key. */
const KEY_HEADERS = ['x-goog-api-key', 'x-api-key'] as const;

function keyHeaderToken(request: Request): string | undefined {
  return KEY_HEADERS.map((header) => request.headers.get(header)?.trim()).find((token) => token);
}

/** Every header in which the request carries its token: none of them may go on to a backend. */
export function tokenHeaders(request: Request): string[] {
  const token = bearerToken(request) ?? keyHeaderToken(request);
  const carriers = KEY_HEADERS.filter((header) => request.headers.get(header)?.trim() === token);
  return ['authorization', ...carriers];
}

function authorizes(
  roles: readonly Role[],
  tokenOf: (request: Request) => string | undefined,
  howToSend: string,
): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const token = tokenOf(c.req.raw);
    if (token === undefined) return unauthenticated(howToSend, false);
    const answer = await c.env.runtime.authenticator.authenticate(token, Date.now());
    if (!answer.ok)
      return answer.code === 'unavailable' ? unavailable(answer.detail) : unauthenticated(answer.detail, true);
    const { role } = answer.principal;
    if (!roles.includes(role)) {
      return refuse('forbidden', { detail: `This needs the role ${roles.join(' or ')}; the token's role is ${role}.` });
    }
    c.set('principal', answer.principal);
    return next();
  };
}

export function bearerToken(request: Request): string | undefined {
  return /^Bearer +([^\s]+) *$/i.exec(request.headers.get('authorization') ?? '')?.[1];
}
