/**
 * What is asked of every request before its route, and before a body is read: guards in a row, of which the first that
 * refuses answers. They are one middleware, and the row of the access table is looked up once for all of them.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { type Access, accessOf } from '../access.ts';
import type { AppEnv } from '../app.ts';

/** @returns the refusal; undefined lets the request pass. @param access undefined: no route matches */
export type Guard = (
  c: Context<AppEnv>,
  access: Access | undefined,
) => Response | undefined | Promise<Response | undefined>;

export function guard(...guards: readonly Guard[]): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const access = accessOfRequest(c);
    for (const each of guards) {
      const answer = each(c, access);
      // Most know at once: a promise is waited for only where there is one.
      const refusal = answer instanceof Promise ? await answer : answer;
      if (refusal !== undefined) return refusal;
    }
    return next();
  };
}

/** The route's own handlers match behind those of the whole app. */
export function accessOfRequest(c: Context<AppEnv>): Access | undefined {
  for (const route of matchedRoutes(c).toReversed()) {
    const access = accessOf(route);
    if (access !== undefined) return access;
  }
  return undefined;
}
