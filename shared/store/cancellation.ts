/**
 * Cancelling a task that has no row yet (rule R12): a tombstone that the claim honours. The claim
 * fills in what the tombstone does not know.
 */

/** @returns true when the tombstone was planted, false when the task is already recorded */
export async function plantTombstone(
  db: D1Database,
  task: { readonly id: string; readonly subject: string; readonly deadlineAt: number },
  now: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `INSERT INTO tasks (id, subject, service, status, max_attempts, base_seconds, cap_seconds, deadline_at, finished_at)
       VALUES (?1, ?2, '', 'cancelled', 1, 0, 0, ?3, ?4)
       ON CONFLICT (id) DO NOTHING`,
    )
    .bind(task.id, task.subject, task.deadlineAt, now)
    .run();
  return meta.changes > 0;
}
