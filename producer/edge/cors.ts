/**
 * Which pages of other origins may read this API's answers: those that `CORS_ORIGINS` names, and no other.
 * Off by default. Tokens travel in a header that a page sets itself, so credentials are never allowed.
 */
import type { MiddlewareHandler } from 'hono';
import { replaceHeaders } from '../answer/security-headers.ts';
import type { App, AppEnv } from '../app.ts';
import { methodsOf } from './methods.ts';

/** What a page may read besides what every page may. */
const EXPOSED = [
  'location',
  'retry-after',
  'ratelimit',
  'ratelimit-policy',
  'idempotency-replayed',
  'preference-applied',
  'www-authenticate',
  'allow',
].join(', ');

/** Two hours: what browsers keep at most. */
const PREFLIGHT_SECONDS = '7200';

const ALL_METHODS = 'DELETE, GET, HEAD, PATCH, POST, PUT';
const HEADER_NAMES = /^[\w!#$%&'*+.^`|~, -]{0,2000}$/;

/** Answers preflights itself: they carry no token. */
export function allowOrigins(app: App): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const { corsOrigins } = c.env.runtime.config;
    if (corsOrigins.size === 0) return next();
    const origin = c.req.header('origin');
    const isAllowed = origin !== undefined && corsOrigins.has(origin);
    if (isAllowed && c.req.method === 'OPTIONS' && c.req.header('access-control-request-method') !== undefined) {
      return preflight(c.req.path, origin, c.req.header('access-control-request-headers') ?? '', app);
    }
    await next();
    const headers = new Headers(c.res.headers);
    headers.append('vary', 'Origin');
    if (isAllowed) {
      headers.set('access-control-allow-origin', origin);
      headers.set('access-control-expose-headers', EXPOSED);
    }
    const answer = replaceHeaders(c.res, headers);
    // Otherwise hono adds the headers of the answer that this one replaces.
    c.res = undefined;
    c.res = answer;
  };
}

function preflight(path: string, origin: string, asked: string, app: App): Response {
  const methods = methodsOf(app.routes, path);
  return new Response(null, {
    status: 204,
    headers: {
      'access-control-allow-origin': origin,
      'access-control-allow-methods': methods.length === 0 ? ALL_METHODS : methods.join(', '),
      'access-control-allow-headers': HEADER_NAMES.test(asked) ? asked : '',
      'access-control-max-age': PREFLIGHT_SECONDS,
      vary: 'Origin, Access-Control-Request-Headers',
    },
  });
}
