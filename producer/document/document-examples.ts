/**
 * Examples for what shows none of its own: put together from the examples of its fields, so that every body
 * in the API document has one, also the next that is added. Pure.
 */

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly example?: unknown;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
}

type Schemas = Readonly<Record<string, Schema>>;

/** Beyond this depth objects are shown empty; schemas may hold themselves. */
const MAX_DEPTH = 8;

/** Fields whose type says little. */
const BY_NAME: Readonly<Record<string, string>> = {
  id: 'tsk_06fkcm2m9g0000000000000000000000',
  subject: 'alice',
  owner: 'ocr-team',
  service: 'ocr',
  name: 'ocr',
  cluster: 'default',
  message: 'The backend answered 503.',
  why: 'rate-limited',
  url: 'https://ocr-1.example.net',
  baseUrl: 'https://ocr-1.example.net/ocr',
  statusUrl: 'https://tasks.example.com/api/task/tsk_06fkcm2m9g0000000000000000000000',
};

const BY_FORMAT: Readonly<Record<string, string>> = {
  'date-time': '2026-11-20T12:00:00.000Z',
  uri: 'https://ocr-1.example.net',
  base64: 'aGVsbG8=',
};

function exampleOf(schema: Schema, schemas: Schemas, name = '', depth = 0): unknown {
  if (schema.$ref !== undefined) {
    return exampleOf(schemas[schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)] ?? {}, schemas, name, depth);
  }
  const example = schema.example ?? schema.const ?? schema.default ?? schema.enum?.[0];
  if (example !== undefined) return example;
  const variant = schema.anyOf?.[0] ?? schema.oneOf?.[0];
  if (variant !== undefined) return exampleOf(variant, schemas, name, depth);
  const parts = (schema.allOf ?? []).map((part) => exampleOf(part, schemas, name, depth));
  if (schema.properties !== undefined || parts.length > 0) {
    const own = depth >= MAX_DEPTH ? [] : Object.entries(schema.properties ?? {});
    const members = own.map(([member, inner]) => [member, exampleOf(inner, schemas, member, depth + 1)] as const);
    return Object.assign({}, ...parts, Object.fromEntries(members));
  }
  const type = typeof schema.type === 'string' ? schema.type : schema.type?.find((each) => each !== 'null');
  switch (type) {
    case 'string':
      return BY_FORMAT[schema.format ?? ''] ?? BY_NAME[name] ?? 'text';
    case 'integer':
    case 'number':
      return schema.minimum ?? Math.floor(schema.exclusiveMinimum ?? 0) + 1;
    case 'boolean':
      return false;
    case 'array':
      return schema.items === undefined || depth >= MAX_DEPTH
        ? []
        : [exampleOf(schema.items, schemas, name, depth + 1)];
    case 'object':
      return {};
    default:
      return { any: 'json' };
  }
}

interface Media {
  example?: unknown;
  examples?: unknown;
  schema?: Schema;
}

interface Operation {
  readonly requestBody?: { readonly content?: Readonly<Record<string, Media>> };
  readonly responses?: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}

/** Gives each body of the operation that shows no example one. Changes `operation`. */
export function addExamples(operation: Operation, schemas: Schemas): void {
  const contents = [operation.requestBody, ...Object.values(operation.responses ?? {})].flatMap((body) =>
    Object.values(body?.content ?? {}),
  );
  for (const media of contents) {
    if (media.schema === undefined || media.example !== undefined || media.examples !== undefined) continue;
    media.example = exampleOf(media.schema, schemas);
  }
}
