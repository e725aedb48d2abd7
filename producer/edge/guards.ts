/**
 * What is asked of every request before its route, and before a body is read: guards in a row, of which the first that
 * refuses answers. They are one middleware, and what several of them need is looked up once.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { matchedRoutes } from 'hono/route';
import { type Access, accessOf } from '../access.ts';
import type { AppEnv } from '../app.ts';
import { type PresentedToken, presentedToken } from './presented-token.ts';
import { type RequestHeaders, readHeaders } from './request-headers.ts';

/** What is known of a request before anything is checked. */
export interface Asked {
  /** The row of the access table; undefined: no route matches. */
  readonly access: Access | undefined;
  readonly token: PresentedToken | undefined;
  readonly headers: RequestHeaders;
}

/** @returns the refusal; undefined lets the request pass */
export type Guard = (c: Context<AppEnv>, asked: Asked) => Response | undefined | Promise<Response | undefined>;

export function guard(...guards: readonly Guard[]): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const headers = readHeaders(c.req.raw.headers);
    c.set('headers', headers.fields);
    const asked = { access: accessOfRequest(c), token: presentedToken(headers.fields), headers };
    for (const each of guards) {
      const answer = each(c, asked);
      // Most know at once: a promise is waited for only where there is one.
      const refusal = answer instanceof Promise ? await answer : answer;
      if (refusal !== undefined) return refusal;
    }
    await next();
    return undefined;
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
