/** Lets a request through when its token is good and its role is one of those that the route allows. */
import type { MiddlewareHandler } from 'hono';
import type { Role } from '../shared/auth/token.ts';
import { refuse, unauthenticated, unavailable } from './answer.ts';
import type { DoorEnv } from './door.ts';

export function allows(...roles: readonly Role[]): MiddlewareHandler<DoorEnv> {
  return async (c, next) => {
    const token = bearerToken(c.req.raw);
    if (token === undefined) {
      return unauthenticated('Send a token: `Authorization: Bearer <token>`. `npm run token` makes one.', false);
    }
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
