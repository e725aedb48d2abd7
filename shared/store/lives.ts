/**
 * The end of what is kept of ended tasks: first their bodies (request, result, timeline), later the row.
 * Each costs one row written. Walks go over the primary key in bounded steps, so what a step costs does
 * not grow with the table.
 */

export interface Lives {
  /** Only ids above this one, and below `before`. */
  readonly after: string;
  readonly before: string;
  /** Tasks that finished before (Unix ms) lose their bodies. */
  readonly bodiesOf: number;
  /** Tasks that finished before (Unix ms) are deleted. */
  readonly rowsOf: number;
  /** Rows that the step looks at. */
  readonly limit: number;
}

export interface Step {
  readonly deletedBodies: number;
  readonly deletedRows: number;
  /** The last id that was looked at, undefined when there was none. */
  readonly last: string | undefined;
  /** Nothing is left below `before`. */
  readonly isEnd: boolean;
}

// A tombstone has no service and no bodies; a claim may still bring it some.
const HAS_OLD_BODIES = `finished_at < ?4 AND bodies_deleted_at IS NULL AND service <> ''`;

const LOOK = `
  SELECT max(id) AS last, count(*) AS rows, count(*) FILTER (WHERE finished_at < ?5) AS old_rows,
    count(*) FILTER (WHERE ${HAS_OLD_BODIES} AND finished_at >= ?5) AS old_bodies
  FROM (SELECT id, service, finished_at, bodies_deleted_at FROM tasks WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3)`;

/** A task that was retried by hand has no `finished_at`, and so is kept for its full time again. */
const DELETE_ROWS = 'DELETE FROM tasks WHERE id > ?1 AND id <= ?2 AND finished_at < ?3';

const DELETE_BODIES = `
  UPDATE tasks SET request = NULL, request_body = NULL, result_type = NULL, result_encoding = NULL, result = NULL,
    history = '[]', bodies_deleted_at = ?3
  WHERE id > ?1 AND id <= ?2 AND ${HAS_OLD_BODIES}`;

/** One step of a walk. Safe to run twice at once: both statements are guarded by what they look for. */
export async function endLives(db: D1Database, lives: Lives, now: number): Promise<Step> {
  const { after, before, bodiesOf, rowsOf, limit } = lives;
  const look = await db
    .prepare(LOOK)
    .bind(after, before, limit, bodiesOf, rowsOf)
    .first<{ last: string | null; rows: number; old_rows: number; old_bodies: number }>();
  if (look === null || look.last === null) return { deletedBodies: 0, deletedRows: 0, last: undefined, isEnd: true };
  const { last, rows, old_rows, old_bodies } = look;
  let deletedRows = 0;
  let deletedBodies = 0;
  if (old_rows > 0) {
    const { meta } = await db.prepare(DELETE_ROWS).bind(after, last, rowsOf).run();
    deletedRows = meta.changes;
  }
  if (old_bodies > 0) {
    const { meta } = await db.prepare(DELETE_BODIES).bind(after, last, now, bodiesOf).run();
    deletedBodies = meta.changes;
  }
  return { deletedBodies, deletedRows, last, isEnd: rows < limit };
}
