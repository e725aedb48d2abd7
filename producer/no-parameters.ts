/**
 * Refuses query parameters where a route declares none: a client whose parameter is ignored takes the
 * answer for one that went by it. Routes that declare some refuse the unknown ones by their schema; the synchronous route passes its
 * query on, and pages and their files have no business with it.
 */
import { matchedRoutes } from 'hono/route';
import { accessOf } from './access.ts';
import { refuse } from './answer.ts';
import type { App } from './app.ts';
import type { Guard } from './guards.ts';

/** @param routesOf asked at the first request, when every route has been added */
export function refuseParameters(routesOf: () => ReadonlySet<string>): Guard {
  let routes: ReadonlySet<string> | undefined;
  return (c) => {
    if (!c.req.url.includes('?')) return undefined;
    const { searchParams } = new URL(c.req.url);
    routes ??= routesOf();
    const isBare = matchedRoutes(c).some(({ method, path }) => routes?.has(`${method} ${path}`));
    const [name] = searchParams.keys();
    if (!isBare || name === undefined) return undefined;
    const reason = 'is not a parameter of this address; it takes none';
    return refuse('invalid-request', { detail: `${name}: ${reason}`, errors: [{ field: name, reason }] });
  };
}

/** Method and path, as the router knows them, of the documented routes that declare no query. */
export function routesWithoutQuery({ openAPIRegistry }: App): Set<string> {
  return new Set(
    openAPIRegistry.definitions.flatMap((definition) => {
      if (definition.type !== 'route' || definition.route.request?.query !== undefined) return [];
      const route = {
        method: definition.route.method.toUpperCase(),
        path: definition.route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      };
      // The document shows the synchronous route as one that it can spell; the router has another.
      return accessOf(route) === undefined ? [] : [`${route.method} ${route.path}`];
    }),
  );
}
