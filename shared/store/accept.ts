/**
 * Rows written at accept: with `ACCEPT=queue+record`, and when no queue takes the task. Such a row
 * may arrive after the claim, or after the end, so it never overwrites (rule R11). A group takes them while it is open,
 * in its own store.
 */
import type { NewTask } from '../message/task-message.ts';
import { jsonParameters, ROWS, runForEach } from './parameter.ts';
import { requestColumns } from './request-columns.ts';

// A row of the parameter is an array (`rowOf`): reading values by their places instead of by their names saves 1.3 µs a task.
const INSERT = `
  INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, life_ms, next_at, due_at,
    labels, ref, request, request_body, on_complete, group_name)
  SELECT id, subject, service, CASE WHEN run_at IS NULL THEN 'queued' ELSE 'scheduled' END,
    max_attempts, base_seconds, cap_seconds, deadline_at, deadline_at - run_at, run_at,
    -- At the deadline at the latest: what is due after it would belong to no kind of the sweeper's work (carrier.ts).
    min(coalesce(due_at, ?2), deadline_at),
    labels, ref, request, request_body, on_complete, group_name
  FROM (
    SELECT value->>0 AS id, value->>1 AS subject, value->>2 AS service, value->>3 AS max_attempts, value->>4 AS base_seconds,
      value->>5 AS cap_seconds, value->>6 AS deadline_at, value->>7 AS run_at, value->>8 AS due_at, value->>9 AS labels,
      value->>10 AS ref, value->>11 AS request, value->>12 AS request_body, value->>13 AS on_complete, value->>14 AS group_name
    FROM ${ROWS}
  ) AS accepted
  WHERE group_name IS NULL OR EXISTS (
    SELECT 1 FROM groups WHERE subject = accepted.subject AND name = accepted.group_name AND closed_at IS NULL)
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
  return jsonParameters(tasks.map(rowOf));
}

/** In the order in which `INSERT` reads it. */
function rowOf(task: Acceptable): unknown[] {
  const { maxAttempts, baseSeconds, capSeconds } = task.policy;
  const { request, body } = requestColumns(task.request);
  return [
    task.id,
    task.subject,
    task.service,
    maxAttempts,
    baseSeconds,
    capSeconds,
    task.deadlineAt,
    task.runAt,
    task.dueAt,
    task.labels,
    task.ref,
    request,
    body,
    task.onComplete,
    task.group,
  ];
}
