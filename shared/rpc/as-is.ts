/**
 * A quick look before a schema: most of what our own Workers say to each other is exactly what its schema would make of
 * it, and then nothing need be put together anew. The look is made from the schema itself, once, so there is one
 * definition of what is right.
 *
 * Guarantee: it says yes only to what the schema accepts and would return unchanged; to everything else, and to whatever
 * it does not know of schemas, it says no, and the schema is asked. (A property test holds it to that.)
 */
import type * as z from 'zod';

type Look = (value: unknown) => boolean;
type Definition = z.core.$ZodTypes['_zod']['def'];
type Check = z.core.$ZodChecks['_zod']['def'];

const looks = new WeakMap<z.core.$ZodType, Look>();

/** As `schema.safeParse`; the data of what is right already is the value itself. */
export function safeParseAsIs<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
): z.ZodSafeParseResult<z.output<Schema>> {
  if (lookOf(schema)(value)) return { success: true, data: value as z.output<Schema> };
  return schema.safeParse(value);
}

function lookOf(schema: z.core.$ZodType): Look {
  const earlier = looks.get(schema);
  if (earlier !== undefined) return earlier;
  const look = made(schema);
  looks.set(schema, look);
  return look;
}

const no: Look = () => false;

function made(schema: z.core.$ZodType): Look {
  const definition = schema._zod.def as Definition;
  const checks = (definition.checks ?? []).map(({ _zod }) => _zod.def as Check);
  switch (definition.type) {
    case 'string':
      // Formats of their own (a URL) are the schema's matter.
      if ('format' in definition) return unchanged(schema);
      return withChecks(schema, isString, checks, definition.coerce);
    case 'number':
      if ('format' in definition) return unchanged(schema);
      return withChecks(schema, Number.isFinite, checks, definition.coerce);
    case 'boolean':
      return withChecks(schema, isBoolean, checks, definition.coerce);
    case 'null':
      return withChecks(schema, isNull, checks);
    case 'literal':
      return withChecks(schema, among(definition.values), checks);
    case 'enum':
      return withChecks(schema, among(Object.values(definition.entries)), checks);
    default:
      return checks.length > 0 ? no : madeOfParts(definition);
  }
}

function madeOfParts(definition: Definition): Look {
  switch (definition.type) {
    case 'optional': {
      const inner = lookOf(definition.innerType);
      return (value) => value === undefined || inner(value);
    }
    case 'default': {
      const inner = lookOf(definition.innerType);
      return (value) => value !== undefined && inner(value);
    }
    case 'array': {
      const element = lookOf(definition.element);
      return (value) => Array.isArray(value) && value.every(element);
    }
    case 'object':
      return objectLook(definition);
    case 'record': {
      const [key, member] = [lookOf(definition.keyType), lookOf(definition.valueType)];
      // A schema leaves a member of this name out.
      const isRight = (name: string, each: unknown) => name !== '__proto__' && key(name) && member(each);
      return (value) => isPlainObject(value) && everyMember(value, isRight);
    }
    case 'union':
      return unionLook(definition);
    default:
      return no;
  }
}

function objectLook({ shape, catchall }: z.core.$ZodObjectDef): Look {
  const others = (catchall?._zod.def as Definition | undefined)?.type;
  if (others !== undefined && others !== 'never' && others !== 'unknown') return no;
  const fields = new Map(
    Object.entries(shape).map(([name, field]) => {
      const look = lookOf(field);
      return [name, { look, isNeeded: !look(undefined) }] as const;
    }),
  );
  const needed = [...fields.values()].filter(({ isNeeded }) => isNeeded).length;
  // By the members that are there: of twenty that a message may have it has five.
  return (value) => {
    if (!isPlainObject(value)) return false;
    let missing = needed;
    for (const name in value) {
      const field = fields.get(name);
      if (field === undefined ? others !== 'unknown' || name === '__proto__' : !field.look(value[name])) return false;
      if (field?.isNeeded) missing -= 1;
    }
    return missing === 0;
  };
}

/** The first option that fits is taken: one that fits only after a change must not be passed over. */
function unionLook({ options, discriminator }: z.core.$ZodUnionDef & { readonly discriminator?: string }): Look {
  if (discriminator === undefined) {
    const [first, ...rest] = options.map(lookOf);
    const areSimple = options.every((option) => SIMPLE.has((option._zod.def as Definition).type));
    return (value) => first?.(value) === true || (areSimple && rest.some((look) => look(value)));
  }
  const byName = new Map<unknown, Look>();
  for (const option of options) {
    const values = option._zod.propValues?.[discriminator];
    for (const value of values ?? []) byName.set(value, lookOf(option));
  }
  return (value) => isPlainObject(value) && byName.get(value[discriminator])?.(value) === true;
}

/** What is never changed, only taken or not. */
const SIMPLE = new Set<Definition['type']>(['string', 'number', 'boolean', 'null', 'literal', 'enum']);

function withChecks(schema: z.core.$ZodType, isOfType: Look, checks: readonly Check[], coerces = false): Look {
  if (coerces) return no;
  const [first, second, ...more] = checks.map(checkLook);
  if (more.length > 0 || first === null || second === null) return unchanged(schema);
  if (first === undefined) return isOfType;
  if (second === undefined) return (value) => isOfType(value) && first(value as never);
  return (value) => isOfType(value) && first(value as never) && second(value as never);
}

/** Null: the schema is asked about the value. */
function checkLook(check: Check): ((value: never) => boolean) | null {
  switch (check.check) {
    case 'string_format':
      if (check.format !== 'regex' || check.pattern === undefined || check.pattern.global) return null;
      return (text: string) => (check.pattern as RegExp).test(text);
    case 'min_length':
      return ({ length }: string) => length >= check.minimum;
    case 'max_length':
      return ({ length }: string) => length <= check.maximum;
    case 'number_format':
      return check.format === 'safeint' ? (number: number) => Number.isSafeInteger(number) : null;
    case 'greater_than':
      return atLeast(Number(check.value), check.inclusive);
    case 'less_than':
      return atMost(Number(check.value), check.inclusive);
    default:
      return null;
  }
}

function atLeast(bound: number, isInclusive: boolean): (number: number) => boolean {
  return isInclusive ? (number) => number >= bound : (number) => number > bound;
}

function atMost(bound: number, isInclusive: boolean): (number: number) => boolean {
  return isInclusive ? (number) => number <= bound : (number) => number < bound;
}

/** Of what holds no parts: the schema itself, whatever it checks. */
function unchanged(schema: z.core.$ZodType): Look {
  return (value) => {
    const parsed = (schema as z.ZodType).safeParse(value);
    return parsed.success && Object.is(parsed.data, value);
  };
}

function among(values: readonly unknown[]): Look {
  const [first] = values;
  if (values.length === 1) return (value) => value === first;
  const all = new Set(values);
  return (value) => all.has(value);
}

function isString(value: unknown): boolean {
  return typeof value === 'string';
}

function isBoolean(value: unknown): boolean {
  return typeof value === 'boolean';
}

function isNull(value: unknown): boolean {
  return value === null;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function everyMember(object: Record<string, unknown>, holds: (name: string, member: unknown) => boolean): boolean {
  for (const name in object) if (!holds(name, object[name])) return false;
  return true;
}
