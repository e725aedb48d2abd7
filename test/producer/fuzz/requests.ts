/**
 * Requests made from the API document: for every operation values that its schemas allow and values that
 * they do not, odd names and numbers among both. Nothing here knows a route: the next one is walked too.
 */
import fc from 'fast-check';
import { ROLES } from '../../../shared/auth/role.ts';

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly pattern?: string;
  readonly example?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly minLength?: number;
}

export type Schemas = Readonly<Record<string, Schema>>;

export interface Parameter {
  readonly in: 'path' | 'query' | 'header';
  readonly name: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly body: Schema | undefined;
}

export interface FuzzedRequest {
  readonly operation: Operation;
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text, or something that is none; undefined: no body. */
  readonly body: string | undefined;
  readonly role: string;
}

const ODD_NAMES = [
  'constructor',
  '__proto__',
  'toString',
  'hasOwnProperty',
  '',
  ' ',
  '😀',
  'a'.repeat(300),
  '\u0000',
  '../..',
  '%00',
  '"',
  "'; --",
];

/** A number that JSON can spell and a double cannot hold, put into the text as it is. */
const BEYOND = '@1e400@';

const oddNumber = fc.constantFrom(0, -0, -1, 0.1, 1.2345, 2 ** 31, 2 ** 53 + 2, 1e21, 1e308, -1e308, BEYOND);
const oddText = fc.oneof(fc.constantFrom(...ODD_NAMES), fc.string({ unit: 'grapheme', maxLength: 40 }));
const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  oddText,
  oddNumber,
  fc.constantFrom<unknown>(null, true, [], {}, [[[[[[]]]]]], { constructor: 1 }, [null]),
);

/** @param others how many times as often it is left out */
function maybe<Value>(value: fc.Arbitrary<Value>, others: number): fc.Arbitrary<Value | undefined> {
  return fc.oneof({ arbitrary: fc.constant(undefined), weight: others }, { arbitrary: value, weight: 1 });
}

/** Names come from few, so that requests meet what others have made. */
const FEW = ['ocr', 'echo', 'constructor', 'llm'];

function texts({ format, pattern, example, minLength = 0, maxLength = 60 }: Schema): fc.Arbitrary<unknown> {
  const examples = typeof example === 'string' ? [example] : [];
  if (format === 'date-time') return fc.constantFrom('2030-01-01T00:00:00Z', '2020-01-01T00:00:00Z', ...examples);
  if (format === 'uri') return fc.constantFrom('https://a.example.com', 'https://b.example.com/x', ...examples);
  if (format === 'base64') return fc.base64String({ maxLength: 40 });
  const few = fc.constantFrom(...FEW, ...examples);
  if (pattern !== undefined) return few;
  const maximum = Math.max(minLength, Math.min(60, maxLength));
  return fc.oneof(few, fc.string({ unit: 'grapheme', minLength, maxLength: maximum }));
}

/** Values that the schema allows, as far as it says what it allows. */
function allowed(schema: Schema, schemas: Schemas, depth = 0): fc.Arbitrary<unknown> {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1);
    return allowed(schemas[name] ?? {}, schemas, depth);
  }
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const variants = schema.anyOf ?? schema.oneOf;
  if (variants !== undefined) return fc.oneof(...variants.map((variant) => allowed(variant, schemas, depth)));
  const type = typeof schema.type === 'string' ? schema.type : schema.type?.find((each) => each !== 'null');
  switch (type) {
    case 'string':
      return texts(schema);
    case 'integer':
    case 'number': {
      const { minimum = 0, maximum = 1000 } = schema;
      const number = fc.integer({ min: Math.ceil(minimum), max: Math.max(Math.ceil(minimum), Math.floor(maximum)) });
      return type === 'integer'
        ? number
        : fc.oneof(
            number,
            number.map((value) => Math.min(maximum, value + 0.5)),
          );
    }
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(depth > 4 ? fc.constant(null) : mixed(schema.items ?? {}, schemas, depth + 1), { maxLength: 3 });
    case 'object':
      return objects(schema, schemas, depth);
    default:
      return fc.jsonValue({ maxDepth: 3 });
  }
}

function objects(schema: Schema, schemas: Schemas, depth: number): fc.Arbitrary<unknown> {
  const { properties = {}, required = [], additionalProperties } = schema;
  const known = Object.fromEntries(
    Object.entries(properties).map(([name, inner]) => {
      const value = mixed(inner, schemas, depth + 1);
      return [name, required.includes(name) ? value : maybe(value, 3)];
    }),
  );
  const members = fc.record(known);
  if (typeof additionalProperties !== 'object') return members;
  const others = fc.dictionary(
    fc.oneof(fc.constantFrom('customer', 'x-b'), oddText),
    mixed(additionalProperties, schemas, depth + 1),
    {
      maxKeys: 2,
    },
  );
  return fc.tuple(members, others).map(([one, other]) => ({ ...other, ...one }));
}

/** Mostly allowed. */
function mixed(schema: Schema, schemas: Schemas, depth = 0): fc.Arbitrary<unknown> {
  return fc.oneof({ arbitrary: allowed(schema, schemas, depth), weight: 19 }, { arbitrary: oddValue, weight: 1 });
}

/** The schema's own example, with one or two of its members made anew: mostly what is accepted. */
function likeTheExample(schema: Schema, schemas: Schemas): fc.Arbitrary<unknown> {
  const named = schemas[schema.$ref?.slice(schema.$ref.lastIndexOf('/') + 1) ?? ''] ?? schema;
  if (typeof named.example !== 'object' || named.example === null) return allowed(schema, schemas);
  const { example, properties = {} } = named;
  const members = Object.entries(properties);
  if (members.length === 0) return fc.constant(example);
  const changes = fc.array(
    fc.oneof(...members.map(([name, inner]) => allowed(inner, schemas).map((value) => [name, value] as const))),
    { maxLength: 2 },
  );
  return changes.map((changed) => ({ ...example, ...Object.fromEntries(changed) }));
}

function bodies(schema: Schema, schemas: Schemas): fc.Arbitrary<string> {
  const whole = fc
    .tuple(fc.oneof(likeTheExample(schema, schemas), allowed(schema, schemas)), maybe(fc.tuple(oddText, oddValue), 12))
    .map(([value, extra]) => {
      const body =
        extra === undefined || typeof value !== 'object'
          ? value
          : Object.assign(Object.create(null), value, { [extra[0]]: extra[1] });
      return (JSON.stringify(body) ?? 'null').replaceAll(JSON.stringify(BEYOND), '1e400');
    });
  const broken = fc.tuple(whole, fc.nat(200)).map(([text, at]) => text.slice(0, Math.min(at, text.length - 1)));
  const others = fc.constantFrom(
    '',
    'null',
    '[]',
    '{}',
    '1',
    'NaN',
    '['.repeat(10_000),
    '{"__proto__":{}}',
    '\ufeff{}',
  );
  return fc.oneof({ arbitrary: whole, weight: 16 }, { arbitrary: broken, weight: 1 }, { arbitrary: others, weight: 1 });
}

function parametersOf(operation: Operation, place: Parameter['in'], ids: fc.Arbitrary<string>, schemas: Schemas) {
  const wanted = operation.parameters.filter((parameter) => parameter.in === place);
  const values = wanted.map(({ name, required, schema }) => {
    const value =
      name === 'id'
        ? fc.oneof({ arbitrary: ids, weight: 3 }, mixed(schema, schemas).map(String))
        : mixed(schema, schemas).map(String);
    return [name, required === true || place === 'path' ? value : maybe(value, 3)] as const;
  });
  return fc.record(Object.fromEntries(values)).map((found) => {
    const entries = Object.entries(found).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return Object.fromEntries(entries) as Record<string, string>;
  });
}

/** @param ids what exists by now */
export function requests(
  operations: readonly Operation[],
  schemas: Schemas,
  ids: fc.Arbitrary<string>,
): fc.Arbitrary<FuzzedRequest> {
  return fc.oneof(
    ...operations.map((operation) =>
      fc.record({
        operation: fc.constant(operation),
        path: parametersOf(operation, 'path', ids, schemas),
        query: fc
          .tuple(parametersOf(operation, 'query', ids, schemas), maybe(oddText, 15))
          .map(([query, extra]) => (extra === undefined ? query : { ...query, [extra]: '1' })),
        headers: parametersOf(operation, 'header', ids, schemas),
        body: operation.body === undefined ? fc.constant(undefined) : bodies(operation.body, schemas),
        role: fc.oneof(
          { arbitrary: fc.constant('admin'), weight: 8 },
          fc.constantFrom(...ROLES.filter((each) => each !== 'admin')),
        ),
      }),
    ),
  );
}
