/**
 * Tasks that wait for an event of their service (rule R20). Their row carries them: it has a `due_at`
 * as fallback, and no message is under way.
 */

export interface ReleasedTask {
  readonly id: string;
  readonly service: string;
}

/**
 * Makes parked tasks claimable now, the oldest first, each once however often this runs at the same
 * time. The caller sends their wake-ups afterwards (rule R1).
 * @param dueAt when the sweeper sends them again if the wake-ups are lost
 */
export async function releaseParkedTasks(
  db: D1Database,
  service: string,
  limit: number,
  now: number,
  dueAt: number,
): Promise<ReleasedTask[]> {
  const { results } = await db
    .prepare(
      `UPDATE tasks SET next_at = ?3, due_at = ?4, sends = sends + 1, parked_for = NULL
       WHERE id IN (SELECT id FROM tasks WHERE parked_for = ?1 ORDER BY id LIMIT ?2) AND parked_for = ?1
       RETURNING id, service`,
    )
    .bind(service, limit, now, dueAt)
    .all<ReleasedTask>();
  return results;
}
