/**
 * The local run's queue lives in memory: after a restart no message is left (rule R8). Every open
 * task but those waiting for a callback loses its lease and becomes due at its next time or its
 * deadline, whichever is first; the sweeper sends it then.
 */

/** For any SQLite; ?1 is now, in Unix ms. */
export const RECOVER_AFTER_RESTART = `UPDATE tasks SET
    lease_until = CASE WHEN status = 'running' THEN min(lease_until, ?1) END,
    sends = 0,
    due_at = min(coalesce(next_at, ?1), deadline_at)
  WHERE finished_at IS NULL AND status <> 'waiting'`;

/** For the files of the registry's and the flows' objects: nobody makes the calls that hold these places any more. */
export const FORGET_LEASES = `DELETE FROM snapshot WHERE id LIKE 'lease %'`;

/** One that was killed while it was being made has no table. */
export const HAS_SNAPSHOT = `SELECT 1 FROM sqlite_schema WHERE name = 'snapshot'`;

/** @returns how many tasks were picked up again */
export async function recoverAfterRestart(db: D1Database, now: number): Promise<number> {
  const { meta } = await db.prepare(RECOVER_AFTER_RESTART).bind(now).run();
  return meta.changes;
}
