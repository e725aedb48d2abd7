/** Failed tasks, grouped by errors that are alike but for numbers and ids. Pure. */
import { parsedJson } from '../../shared/json-text.ts';
import type { FoundError } from '../../shared/store/find.ts';
import { shorten, type TaskError, TaskErrorSchema } from '../../shared/task/attempt.ts';

const MAX_GROUPS = 100;
const MAX_SERVICES = 20;
const MAX_MESSAGE_CHARS = 160;

/** UUIDs, long hexadecimal or base32 words with a digit in them, quoted numbers, numbers. */
const PARTICULAR = /\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=\w*\d)\w{16,}\b|\d+(?:\.\d+)?/gi;

export interface ErrorGroup {
  readonly class: TaskError['class'];
  readonly httpStatus: number | undefined;
  readonly message: string;
  count: number;
  readonly services: string[];
  readonly latest: { readonly id: string; readonly at: string | undefined; readonly message: string };
}

/** @param rows newest first. @returns the largest groups first */
export function groupErrors(rows: readonly FoundError[]): ErrorGroup[] {
  const groups = new Map<string, ErrorGroup>();
  for (const row of rows) {
    const error = errorIn(row);
    if (error === undefined) continue;
    const message = alike(error.message);
    const key = JSON.stringify([error.class, error.httpStatus, message]);
    const group = groups.get(key);
    if (group === undefined) {
      const at = row.finished_at === null ? undefined : new Date(row.finished_at).toISOString();
      const latest = { id: row.id, at, message: error.message };
      const { class: kind, httpStatus } = error;
      groups.set(key, { class: kind, httpStatus, message, count: 1, services: [row.service], latest });
    } else {
      group.count++;
      if (!group.services.includes(row.service) && group.services.length < MAX_SERVICES)
        group.services.push(row.service);
    }
  }
  return [...groups.values()].sort((a, b) => b.count - a.count).slice(0, MAX_GROUPS);
}

/** The message with what is particular to one task left out. */
function alike(message: string): string {
  return shorten(message.replaceAll(PARTICULAR, '#'), MAX_MESSAGE_CHARS);
}

function errorIn({ error }: FoundError): TaskError | undefined {
  return error === null ? undefined : TaskErrorSchema.safeParse(parsedJson(error)).data;
}
