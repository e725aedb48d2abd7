/** The tasks of a service that have not ended. No index leads to them: an administrator's question walks the table by its key. */
import { STATE_COLUMNS, type StateRow } from './row.ts';

/** @returns how many, counted up to `limit` */
export async function countOpenTasksOf(db: D1Database, service: string, limit: number): Promise<number> {
  const row = await db
    .prepare(
      `SELECT count(*) AS tasks FROM
         (SELECT 1 FROM tasks WHERE id > '' AND service = ?1 AND finished_at IS NULL LIMIT ?2)`,
    )
    .bind(service, limit)
    .first<{ tasks: number }>();
  return row?.tasks ?? 0;
}

/** @param after the last id of the page before, or an empty text */
export async function readOpenTasksOf(
  db: D1Database,
  service: string,
  after: string,
  limit: number,
): Promise<StateRow[]> {
  const { results } = await db
    .prepare(
      `SELECT ${STATE_COLUMNS} FROM tasks WHERE id > ?2 AND service = ?1 AND finished_at IS NULL ORDER BY id LIMIT ?3`,
    )
    .bind(service, after, limit)
    .all<StateRow>();
  return results;
}
