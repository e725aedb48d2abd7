/**
 * Checks an object by the members that it has: a submission has three of thirty, and looking at each of the others takes
 * longer than all the rest of the check.
 *
 * Guarantee: what comes of it is what the whole schema says. A part of it is asked first, with the members that are there
 * and those that mean something when they are absent; what the part refuses is the whole schema's to judge.
 */
import type { z } from '@hono/zod-openapi';

/** Sets of names that a client may choose are kept up to this many; others are checked by the whole schema. */
const MAX_PARTS = 200;

/** @param schema takes no other members than its own, and has no check that looks at several of them */
export function checkPresent<Schema extends z.ZodObject>(
  schema: Schema,
): (value: unknown) => z.ZodSafeParseResult<z.output<Schema>> {
  const parts = new Map<string, z.ZodType | undefined>();
  const needed = Object.keys(schema.shape).filter((name) => !mayBeAbsent(schema.shape[name] as z.ZodType));
  const partOf = (names: readonly string[]) => {
    const mask = Object.fromEntries([...names, ...needed].map((name) => [name, true] as const));
    return names.every((name) => Object.hasOwn(schema.shape, name)) ? schema.pick(mask as never) : undefined;
  };
  return (value) => {
    if (typeof value !== 'object' || value === null) return schema.safeParse(value);
    const names = Object.keys(value);
    const set = names.join();
    if (!parts.has(set) && parts.size < MAX_PARTS) parts.set(set, partOf(names));
    const checked = parts.get(set)?.safeParse(value);
    return checked?.success ? (checked as z.ZodSafeParseSuccess<z.output<Schema>>) : schema.safeParse(value);
  };
}

/** Absent it is no fault, and nothing stands in for it. */
function mayBeAbsent(member: z.ZodType): boolean {
  const checked = member.safeParse(undefined);
  return checked.success && checked.data === undefined;
}
