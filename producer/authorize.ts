/** Lets a request through when its token is good and its role is one of those that the route allows. */
import type { MiddlewareHandler } from 'hono';
import type { Role } from '../shared/auth/token.ts';
import { refuse, unauthenticated, unavailable } from './answer.ts';
import type { DoorEnv } from './door.ts';

const HOW_TO_SEND = 'Send a token: `Authorization: Bearer <token>`. `npm run token` makes one.';

export function allows(...roles: readonly Role[]): MiddlewareHandler<DoorEnv> {
  return authorizes(roles, bearerToken, HOW_TO_SEND);
}

/**
 * The same for the synchronous route, where a provider's own package sends the token as if it were one
 * of the provider's keys.
 */
export function allowsAsKey(...roles: readonly Role[]): MiddlewareHandler<DoorEnv> {
  return authorizes(
    roles,
    (request) => keyHeaderToken(request)?.token ?? bearerToken(request),
    'Send a Tasklane token: `Authorization: Bearer <token>`, or in `x-goog-api-key` or `x-api-key`.',
  );
}

/** Where packages of providers put their key. */
const KEY_HEADERS = ['x-goog-api-key', 'x-api-key'] as const;

/** The header other than `Authorization` in which the token came, when there is no bearer token. */
export function keyHeaderToken(request: Request): { readonly header: string; readonly token: string } | undefined {
  if (bearerToken(request) !== undefined) return undefined;
  for (const header of KEY_HEADERS) {
    const token = request.headers.get(header)?.trim();
    if (token) return { header, token };
  }
  return undefined;
}

function authorizes(
  roles: readonly Role[],
  tokenOf: (request: Request) => string | undefined,
  howToSend: string,
): MiddlewareHandler<DoorEnv> {
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
