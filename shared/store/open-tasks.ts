/**
 * The tasks of a service that have not ended. No index leads to a service: one would cost every task a row. Those
 * that no message carries (rule R1) are found among all such tasks, by the indexes of what is due; those that a
 * message carries, by walking the ids of as many days as a task lives. A task that was run again by hand after that
 * time and is carried is not found: its service's end meets it when its message comes.
 */
import { STATE_COLUMNS, type StateRow } from './row.ts';

/** Each once: what waits for a callback, what stands in a line, what is to be sent, and what is only to end. */
function uncarried(columns: string): string {
  return `SELECT ${columns} FROM tasks INDEXED BY tasks_callback_due
            WHERE status = 'waiting' AND due_at > 0 AND service = ?1
          UNION ALL
          SELECT ${columns} FROM tasks INDEXED BY tasks_parked
            WHERE parked_for > '' AND due_at < deadline_at AND status <> 'waiting' AND service = ?1
          UNION ALL
          SELECT ${columns} FROM tasks INDEXED BY tasks_deadline_due
            WHERE status <> 'waiting' AND due_at = deadline_at AND due_at > 0 AND service = ?1
          UNION ALL
          SELECT ${columns} FROM tasks INDEXED BY tasks_send_due
            WHERE status <> 'waiting' AND parked_for IS NULL AND due_at < deadline_at AND due_at > 0 AND service = ?1`;
}

const CARRIED = 'id > ?3 AND service = ?1 AND finished_at IS NULL AND due_at IS NULL';

/**
 * @param since an id: of older ones none that a message carries is looked for
 * @returns how many, counted up to `limit`; where some are found by index, of these alone
 */
export async function countOpenTasksOf(db: D1Database, service: string, since: string, limit: number): Promise<number> {
  const byIndex = await db
    .prepare(`SELECT count(*) AS tasks FROM (SELECT 1 FROM (${uncarried('id')}) LIMIT ?2)`)
    .bind(service, limit)
    .first<{ tasks: number }>();
  if (byIndex !== null && byIndex.tasks > 0) return byIndex.tasks;
  const walked = await db
    .prepare(`SELECT count(*) AS tasks FROM (SELECT 1 FROM tasks WHERE ${CARRIED} LIMIT ?2)`)
    .bind(service, limit, since)
    .first<{ tasks: number }>();
  return walked?.tasks ?? 0;
}

/** Those that no message carries; the order says nothing. */
export async function readUncarriedTasksOf(db: D1Database, service: string, limit: number): Promise<StateRow[]> {
  const { results } = await db
    .prepare(`SELECT ${STATE_COLUMNS} FROM (${uncarried(STATE_COLUMNS)}) WHERE status <> 'running' LIMIT ?2`)
    .bind(service, limit)
    .all<StateRow>();
  return results;
}

/** Those that a message carries and whose calls are not under way. @param after the last id of the page before */
export async function readCarriedTasksOf(
  db: D1Database,
  service: string,
  after: string,
  limit: number,
): Promise<StateRow[]> {
  const { results } = await db
    .prepare(`SELECT ${STATE_COLUMNS} FROM tasks WHERE ${CARRIED} AND status <> 'running' ORDER BY id LIMIT ?2`)
    .bind(service, limit, after)
    .all<StateRow>();
  return results;
}
