/**
 * The timeline, newest first, by primary key. A filter is applied while walking: a page examines at
 * most 2,000 rows, so a filtered page may come back short, or empty, with a place to go on from.
 */
import type { TaskStatus } from '../task/status.ts';
import { SUMMARY_COLUMNS, type TaskSummaryRow } from './row.ts';

/** Half of the budget of 2,000: a short page reads its window a second time to find where it ended. */
const WINDOW_ROWS = 1000;

export interface TaskFilter {
  readonly subject?: string | undefined;
  readonly status?: TaskStatus | undefined;
  readonly service?: string | undefined;
  /** Only ids below this one. */
  readonly before?: string | undefined;
  readonly limit: number;
}

const PAGE = `
  SELECT ${SUMMARY_COLUMNS}
  FROM (SELECT ${SUMMARY_COLUMNS} FROM tasks WHERE id < ?1 ORDER BY id DESC LIMIT ${WINDOW_ROWS})
  WHERE (?2 IS NULL OR subject = ?2) AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR service = ?4)
  LIMIT ?5`;

const WINDOW_END = `SELECT id FROM tasks WHERE id < ?1 ORDER BY id DESC LIMIT 1 OFFSET ${WINDOW_ROWS - 1}`;

/** Sorts after every id. */
const NEWEST = 'tsk_~';

/** `nextBefore` is where the next page starts, undefined at the end of the timeline. */
export async function listTasks(
  db: D1Database,
  filter: TaskFilter,
): Promise<{ rows: TaskSummaryRow[]; nextBefore: string | undefined }> {
  const before = filter.before ?? NEWEST;
  const { results: rows } = await db
    .prepare(PAGE)
    .bind(before, filter.subject ?? null, filter.status ?? null, filter.service ?? null, filter.limit)
    .all<TaskSummaryRow>();
  if (rows.length === filter.limit) return { rows, nextBefore: rows.at(-1)?.id };
  const end = await db.prepare(WINDOW_END).bind(before).first<{ id: string }>();
  return { rows, nextBefore: end?.id };
}
