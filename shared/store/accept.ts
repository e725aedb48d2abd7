/**
 * Rows written at accept: with `ACCEPT=queue+record`, and when no queue takes the task. Such a row
 * may arrive after the claim, or after the end, so it never overwrites (rule R11). A group takes them while it is open,
 * in its own store.
 */
import type { NewTask } from '../message/task-message.ts';
import { jsonParameters, ROWS, runForEach } from './parameter.ts';
import { requestColumns } from './request-columns.ts';

const INSERT = `
  INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, life_ms, next_at, due_at,
    labels, ref, request, request_body, on_complete, group_name)
  SELECT value->>'id', value->>'subject', value->>'service',
    CASE WHEN value->>'runAt' IS NULL THEN 'queued' ELSE 'scheduled' END,
    value->>'$.policy.maxAttempts', value->>'$.policy.baseSeconds', value->>'$.policy.capSeconds',
    value->>'deadlineAt', (value->>'deadlineAt') - (value->>'runAt'), value->>'runAt',
    -- At the deadline at the latest: what is due after it would belong to no kind of the sweeper's work (carrier.ts).
    min(coalesce(value->>'dueAt', ?2), value->>'deadlineAt'),
    value->'labels', value->>'ref', value->'request', value->>'body', value->>'onComplete', value->>'group'
  FROM ${ROWS}
  WHERE value->>'group' IS NULL OR EXISTS (
    SELECT 1 FROM groups WHERE subject = value->>'subject' AND name = value->>'group' AND closed_at IS NULL)
  ON CONFLICT (id) DO NOTHING`;

type Acceptable = NewTask & { readonly dueAt?: number };

/**
 * @param dueAt when the sweeper shall send the tasks that do not say it themselves (Unix ms), or undefined when a
 *   message carries them
 */
export async function recordAccepted(
  db: D1Database,
  tasks: readonly Acceptable[],
  dueAt: number | undefined,
): Promise<void> {
  await runForEach(db, INSERT, rowsOf(tasks), dueAt ?? null);
}

/**
 * The same for tasks of groups, which say when they are due: whoever records others has no use for their ids.
 * @returns the ids of those that were not recorded yet and whose group took them
 */
export async function recordEntered(db: D1Database, tasks: readonly Acceptable[]): Promise<Set<string>> {
  const rows = await runForEach<{ id: string }>(db, `${INSERT} RETURNING id`, rowsOf(tasks), null);
  return new Set(rows.map(({ id }) => id));
}

function rowsOf(tasks: readonly Acceptable[]): string[] {
  return jsonParameters(tasks.map((task) => ({ ...task, ...requestColumns(task.request) })));
}
