/**
 * Reading a Worker's environment: parsed once, with errors that name the variable and the fix and
 * never its value.
 */

import * as z from 'zod';
import { parsedJson } from './json-text.ts';

/** HS256 and HMAC-SHA-256 keys: at least as long as the hash (RFC 7518 section 3.2). */
const MIN_SECRET_BYTES = 32;

export const SecretSchema = z
  .string({ error: 'is missing; set a random secret of at least 32 bytes' })
  .refine((value) => new TextEncoder().encode(value).length >= MIN_SECRET_BYTES, {
    error: 'is too short; use at least 32 bytes',
  });

export const FlagSchema = z
  .enum(['true', 'false'], { error: 'is `true` or `false`' })
  .default('false')
  .transform((value) => value === 'true');

/** A deployment that cannot work as configured: its message may be shown, it holds no values. */
export class MisconfiguredError extends Error {
  override readonly name = 'MisconfiguredError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('; '));
    this.problems = problems;
  }
}

/** @throws MisconfiguredError naming every variable that is wrong */
export function parseEnv<Schema extends z.ZodType>(schema: Schema, env: object): z.output<Schema> {
  const parsed = schema.safeParse(env);
  if (parsed.success) return parsed.data;
  throw new MisconfiguredError(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`));
}

/** What a variable holds: an object, or its text. A text that is no JSON stays one, for the schema to refuse. */
export function jsonOfVariable(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const json = parsedJson(value);
  return json === undefined ? value : json;
}

/** The bindings named `<prefix>0`, `<prefix>1`, … in numeric order; gaps are fine. */
export function numberedBindings<Binding>(
  env: object,
  prefix: string,
): { readonly index: number; readonly binding: Binding }[] {
  return Object.entries(env)
    .filter(
      ([name, binding]) => binding !== undefined && name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)),
    )
    .map(([name, binding]) => ({ index: Number(name.slice(prefix.length)), binding: binding as Binding }))
    .sort((a, b) => a.index - b.index);
}
