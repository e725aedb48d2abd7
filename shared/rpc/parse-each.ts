/**
 * Arguments between our own Workers are read element by element (rule R21): what is wrong with one, such as
 * an odd number of another release, costs no other element anything.
 */
import type * as z from 'zod';
import { logError } from '../log.ts';
import { safeParseAsIs } from './as-is.ts';

/**
 * @param what names the kind of element in the log; values are never logged
 * @returns what could be read, in order
 */
export function parseEach<Schema extends z.ZodType>(
  schema: Schema,
  elements: readonly unknown[],
  what: string,
): z.output<Schema>[] {
  return elements.flatMap((element) => {
    const parsed = safeParseAsIs(schema, element);
    if (parsed.success) return [parsed.data];
    const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
    logError('element.unreadable', { what, id: idOf(element), problems });
    return [];
  });
}

function idOf(element: unknown): string | undefined {
  const { id } = (element ?? {}) as { id?: unknown };
  return typeof id === 'string' ? id.slice(0, 64) : undefined;
}
