/**
 * Where a page of the list ends, as clients carry it to the next one: opaque to them, the last id to
 * us. It grants nothing: every page is filtered by its reader's own right.
 */
import { TASK_ID_PATTERN } from '../../shared/task/id.ts';

const VERSION = '1.';

export function encodeCursor(before: string): string {
  return btoa(VERSION + before)
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '');
}

/** The id below which the page starts, or undefined when the cursor is not one of ours. */
export function decodeCursor(cursor: string): string | undefined {
  try {
    const text = atob(cursor.replaceAll('-', '+').replaceAll('_', '/'));
    const before = text.slice(VERSION.length);
    return text.startsWith(VERSION) && TASK_ID_PATTERN.test(before) ? before : undefined;
  } catch {
    return undefined;
  }
}
