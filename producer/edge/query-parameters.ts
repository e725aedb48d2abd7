/**
 * Refuses query parameters that a route cannot go by: any where it declares none, and one that is given twice where it
 * takes one value. A client whose parameter is ignored takes the answer for one that went by it. Unknown names beside
 * declared ones are refused by the route's schema; the synchronous route passes its query on, and pages and their files
 * have no business with it.
 */
import { z } from '@hono/zod-openapi';
import { matchedRoutes } from 'hono/route';
import type { FieldError, ProblemDetails } from '../../shared/problem/problem.ts';
import { accessOf } from '../access.ts';
import { refuse } from '../answer/answer.ts';
import { invalidFields } from '../answer/field-errors.ts';
import type { App } from '../app.ts';
import type { Guard } from './guards.ts';

/** The query parameters of a route by their names, and whether each may be repeated. */
type Declared = ReadonlyMap<string, { readonly isList: boolean }>;

/** @param declaredOf asked at the first request, when every route has been added */
export function refuseParameters(declaredOf: () => ReadonlyMap<string, Declared>): Guard {
  let routes: ReadonlyMap<string, Declared> | undefined;
  return (c) => {
    if (!c.req.url.includes('?')) return undefined;
    routes ??= declaredOf();
    const declared = matchedRoutes(c)
      .map(({ method, path }) => routes?.get(`${method} ${path}`))
      .find((each) => each !== undefined);
    const wrong = declared && faultOf(declared, new URL(c.req.url).searchParams);
    return wrong && refuse('invalid-request', wrong);
  };
}

function faultOf(declared: Declared, query: URLSearchParams): ProblemDetails | undefined {
  const names = [...new Set(query.keys())];
  if (declared.size === 0) {
    const reason = 'is not a parameter of this address; it takes none';
    return names[0] === undefined ? undefined : invalidFields([{ field: names[0], reason }]);
  }
  const repeated = names.flatMap((name): FieldError[] => {
    const times = query.getAll(name).length;
    if (times === 1 || declared.get(name)?.isList !== false) return [];
    return [{ field: name, reason: `is given ${times === 2 ? 'twice' : `${times} times`}; give it once` }];
  });
  return repeated.length === 0 ? undefined : invalidFields(repeated);
}

/** Of the documented routes, by method and path as the router knows them. */
export function declaredParameters({ openAPIRegistry }: App): Map<string, Declared> {
  return new Map(
    openAPIRegistry.definitions.flatMap((definition): [string, Declared][] => {
      if (definition.type !== 'route') return [];
      const { method, path, request } = definition.route;
      const route = { method: method.toUpperCase(), path: path.replaceAll(/\{(\w+)\}/g, ':$1') };
      // The document shows the synchronous route as one that it can spell; the router has another.
      if (accessOf(route) === undefined) return [];
      const shape = request?.query instanceof z.ZodObject ? request.query.shape : {};
      const declared = Object.entries(shape).map(([name, schema]) => [name, { isList: isList(schema) }] as const);
      return [[`${route.method} ${route.path}`, new Map(declared)]];
    }),
  );
}

function isList(schema: unknown): boolean {
  if (schema instanceof z.ZodPipe) return isList(schema.out);
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) return isList(schema.unwrap());
  return schema instanceof z.ZodArray;
}
