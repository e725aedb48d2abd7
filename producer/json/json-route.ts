/**
 * A route that many requests take: its body is checked where it was read. The routes of the library look at the media type
 * again, ask the request for its JSON again, and wait for each of the two.
 */
import type { RouteConfig, z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { refuse } from '../answer/answer.ts';
import { invalidRequest } from '../answer/field-errors.ts';
import type { App, AppEnv } from '../app.ts';

type JsonRoute = Omit<RouteConfig, 'middleware'> & { readonly middleware: readonly MiddlewareHandler<AppEnv>[] };

/**
 * @param route with `readsJson` as its last middleware, and the schema of its body for the document
 * @param check the same schema, or one that comes to the same
 */
export function addJsonRoute<Body>(
  app: App,
  { middleware, ...route }: JsonRoute,
  check: (value: unknown) => z.ZodSafeParseResult<Body>,
  handle: (c: Context<AppEnv>, body: Body) => Response | Promise<Response>,
): void {
  app.openAPIRegistry.registerPath(route);
  app.on([route.method], [route.path], ...middleware, (c) => {
    const checked = check(c.get('json'));
    return checked.success
      ? handle(c, checked.data)
      : refuse('invalid-request', invalidRequest(checked.error.issues, 'body'));
  });
}
