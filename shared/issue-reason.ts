/**
 * What zod found wrong, in words that say what to do: for requests, for `wrangler.toml`, for the agent's file.
 * Values never enter a reason: they may be secrets. A name that is not known is told which one it is close to.
 */
import * as z from 'zod';
import { closest } from './closest.ts';

type Issue = z.core.$ZodIssue;

/** Issues that a custom message speaks for itself in; zod's own messages begin otherwise. */
const RAW_MESSAGE = /^(?:Invalid|Too big|Too small|Expected|Unrecognized)\b/;

/** Why a field is refused; for names that are not known see `unknownNames`. */
export function reasonOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.message.endsWith('received undefined') ? 'is missing' : `must be ${article(issue.expected)}`;
    case 'invalid_value':
      return RAW_MESSAGE.test(issue.message) ? oneOf(issue.values) : issue.message;
    case 'too_big':
      if (!RAW_MESSAGE.test(issue.message)) return issue.message;
      return `may be at most ${String(issue.maximum)}${unitOf(issue.origin)}`;
    case 'too_small':
      if (!RAW_MESSAGE.test(issue.message)) return issue.message;
      return issue.inclusive === false
        ? `must be more than ${String(issue.minimum)}${unitOf(issue.origin)}`
        : `must be at least ${String(issue.minimum)}${unitOf(issue.origin)}`;
    case 'invalid_format':
      return issue.message.startsWith('Invalid ') ? `must be valid as ${issue.format}` : issue.message;
    case 'invalid_key':
      return issue.issues[0] === undefined ? 'is not an allowed name' : reasonOf(issue.issues[0]);
    case 'invalid_union':
      return 'fits none of the allowed forms; see /docs';
    case 'unrecognized_keys':
      return unknownNames(issue)
        .map(({ reason }) => reason)
        .join('; ');
    default:
      return issue.message;
  }
}

export interface UnknownName {
  readonly name: string;
  readonly suggestion: string | undefined;
  readonly reason: string;
}

/** What is said of each name that a strict object does not know. */
export function unknownNames(issue: Extract<Issue, { code: 'unrecognized_keys' }>): UnknownName[] {
  const suggestions = issue.message.startsWith(SUGGESTIONS) ? issue.message.slice(SUGGESTIONS.length).split('\n') : [];
  return issue.keys.map((name, index) => {
    const suggestion = suggestions[index] || undefined;
    const fix = suggestion !== undefined ? `did you mean ${suggestion}?` : 'correct its name or remove it';
    return { name, suggestion, reason: `is not known here; ${fix}` };
  });
}

/** Begins the message of an issue about unknown names: the known names that are close to them follow, in their order. */
const SUGGESTIONS = 'Unknown names, close to: ';

// The schema that knows the names is at hand only while the issue is made.
z.config({
  customError: (issue) => {
    if (issue.code === 'unrecognized_keys') {
      const shape = shapeOf(issue.inst);
      const below = Object.entries(shape).flatMap(([field, inner]) =>
        Object.keys(shapeOf(inner)).map((name) => `${field}.${name}`),
      );
      return (
        SUGGESTIONS + (issue.keys as string[]).map((name) => closest(name, Object.keys(shape), below) ?? '').join('\n')
      );
    }
    if (issue.code === 'invalid_value' && typeof issue.input === 'string') {
      const values = issue.values as readonly unknown[];
      const suggestion = closest(
        issue.input,
        values.filter((value) => typeof value === 'string'),
      );
      return suggestion === undefined ? undefined : `${oneOf(values)}; did you mean ${suggestion}?`;
    }
    return undefined;
  },
});

/** The fields of an object, also of one that may be left out or has a default; none of anything else. */
function shapeOf(schema: unknown): Readonly<Record<string, unknown>> {
  if (schema instanceof z.ZodObject) return schema.shape;
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return shapeOf(schema.def.innerType);
  }
  return {};
}

function oneOf(values: readonly unknown[]): string {
  return `must be ${values.length === 1 ? '' : 'one of '}${values.map(String).join(', ')}`;
}

function article(expected: string): string {
  return expected === 'int' ? 'a whole number' : `${/^[aeiou]/.test(expected) ? 'an' : 'a'} ${expected}`;
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' items' : '';
}
