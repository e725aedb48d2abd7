/**
 * A call of the API, named by its operation in the access table: one that no route has, or without a parameter of its
 * path, does not compile. Pure.
 */
import type { Operation } from '../producer/access.ts';

/** What only reads. */
export type Reading = Extract<Operation, `GET ${string}`>;

export interface Call {
  readonly operation: Operation;
  readonly method: string;
  readonly address: string;
}

type ParametersOf<Path> = Path extends `${string}:${infer Rest}`
  ? Rest extends `${infer Name}/${infer More}`
    ? Name | ParametersOf<`/${More}`>
    : Rest
  : never;

type Values<Name extends string> = Readonly<Record<Name, string | number>>;

/** What has no value is left out. */
export type Query = Iterable<readonly [string, string]> | Readonly<Record<string, string | undefined>>;

export function call<Row extends Operation>(operation: Row, at: Values<ParametersOf<Row>>, query: Query = {}): Call {
  const [method = '', path = ''] = operation.split(' ');
  const values: Readonly<Record<string, string | number>> = at;
  const address = path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(values[name] ?? ''));
  return { operation, method, address: address + searchOf(query) };
}

/** `?status=failed`, or nothing. */
export function searchOf(query: Query): string {
  const all = Symbol.iterator in query ? [...query] : Object.entries(query);
  const pairs = all.filter((pair): pair is [string, string] => Boolean(pair[1]));
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}
