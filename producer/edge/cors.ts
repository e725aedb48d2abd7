/**
 * Which pages of other origins may read this API's answers: those that `CORS_ORIGINS` names, and no other.
 * Off by default. Tokens travel in a header that a page sets itself, so credentials are never allowed.
 */
import { replaceHeaders } from '../answer/security-headers.ts';
import type { App } from '../app.ts';
import { type Finish, replaceAnswer } from './finish.ts';
import type { Guard } from './guards.ts';
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

/** Answers preflights of origins that may ask: they carry no token. `allowOrigin` is done to their answers too. */
export function answerPreflights(app: App): Guard {
  return (c) => {
    if (c.req.method !== 'OPTIONS' || c.req.header('access-control-request-method') === undefined) return undefined;
    const { corsOrigins } = c.env.runtime.config;
    if (!corsOrigins.has(c.req.header('origin') ?? '')) return undefined;
    const methods = methodsOf(app.routes, c.req.path);
    const asked = c.req.header('access-control-request-headers') ?? '';
    return new Response(null, {
      status: 204,
      headers: {
        'access-control-allow-methods': methods.length === 0 ? ALL_METHODS : methods.join(', '),
        'access-control-allow-headers': HEADER_NAMES.test(asked) ? asked : '',
        'access-control-max-age': PREFLIGHT_SECONDS,
        vary: 'Access-Control-Request-Headers',
      },
    });
  };
}

/** The last step: the answer in its place no longer tells who made it. */
export const allowOrigin: Finish = (c) => {
  const { corsOrigins } = c.env.runtime.config;
  if (corsOrigins.size === 0) return undefined;
  const headers = new Headers(c.res.headers);
  headers.append('vary', 'Origin');
  const origin = c.req.header('origin');
  if (origin !== undefined && corsOrigins.has(origin)) {
    headers.set('access-control-allow-origin', origin);
    headers.set('access-control-expose-headers', EXPOSED);
  }
  replaceAnswer(c, replaceHeaders(c.res, headers));
  return undefined;
};
