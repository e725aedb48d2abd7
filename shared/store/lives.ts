/**
 * The end of what is kept of ended tasks: first their bodies (request, result, timeline), later the row.
 * Each costs one row written. Walks go over the primary key in bounded steps, so what a step costs does
 * not grow with the table.
 */
import { jsonParameters, runForEach } from './parameter.ts';

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
  /** Names of bodies in the bucket that no row leads to any more. */
  readonly objects: readonly string[];
}

// A tombstone has no service and no bodies; a claim may still bring it some.
const HAS_OLD_BODIES = `finished_at < ?4 AND bodies_deleted_at IS NULL AND service <> ''`;

const LOOK = `
  SELECT max(id) AS last, count(*) AS rows, count(*) FILTER (WHERE finished_at < ?5) AS old_rows,
    count(*) FILTER (WHERE ${HAS_OLD_BODIES} AND finished_at >= ?5) AS old_bodies,
    json_group_array(json_array(id, request->>'$.storedBody.key', result_stored->>'$.key'))
      FILTER (WHERE finished_at < max(?4, ?5) AND bodies_deleted_at IS NULL AND (result_stored IS NOT NULL OR request->'$.storedBody' IS NOT NULL)) AS stored
  FROM (SELECT id, service, finished_at, bodies_deleted_at, request, result_stored FROM tasks
    WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3)`;

/** A task that was retried by hand has no `finished_at`, and so is kept for its full time again. */
const DELETE_ROWS = 'DELETE FROM tasks WHERE id > ?1 AND id <= ?2 AND finished_at < ?3';

const WITHOUT_BODIES = `request = NULL, request_body = NULL, result_type = NULL, result_encoding = NULL, result = NULL,
    result_stored = NULL, history = '[]', bodies_deleted_at = ?3`;

const DELETE_BODIES = `
  UPDATE tasks SET ${WITHOUT_BODIES}
  WHERE id > ?1 AND id <= ?2 AND ${HAS_OLD_BODIES}`;

/** One step of a walk. Safe to run twice at once: both statements are guarded by what they look for. */
export async function endLives(db: D1Database, lives: Lives, now: number): Promise<Step> {
  const { after, before, bodiesOf, rowsOf, limit } = lives;
  const look = await db
    .prepare(LOOK)
    .bind(after, before, limit, bodiesOf, rowsOf)
    .first<{ last: string | null; rows: number; old_rows: number; old_bodies: number; stored: string }>();
  if (look === null || look.last === null) {
    return { deletedBodies: 0, deletedRows: 0, last: undefined, isEnd: true, objects: [] };
  }
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
  const objects = await objectsWithoutRow(db, JSON.parse(look.stored) as StoredOfRow[]);
  return { deletedBodies, deletedRows, last, isEnd: rows < limit, objects };
}

/** Names of bodies in the bucket, of rows that are about to lose them. */
export async function readStoredBodies(db: D1Database, ids: readonly string[]): Promise<StoredOfRow[]> {
  const { results } = await db
    .prepare(
      `SELECT id, request->>'$.storedBody.key' AS payload, result_stored->>'$.key' AS result FROM tasks
       WHERE id IN (SELECT value FROM json_each(?1)) AND (result_stored IS NOT NULL OR request->'$.storedBody' IS NOT NULL)`,
    )
    .bind(JSON.stringify(ids))
    .all<{ id: string; payload: string | null; result: string | null }>();
  return results.map(({ id, payload, result }) => [id, payload, result]);
}

export type StoredOfRow = readonly [id: string, payload: string | null, result: string | null];

/** A task that was run again by hand between the look and the deletion keeps its bodies. */
export async function objectsWithoutRow(db: D1Database, stored: readonly StoredOfRow[]): Promise<string[]> {
  if (stored.length === 0) return [];
  const kept = await runForEach<{ id: string }>(
    db,
    `SELECT id FROM tasks WHERE bodies_deleted_at IS NULL AND id IN (SELECT value FROM json_each(?1))`,
    jsonParameters(stored.map(([id]) => id)),
  );
  const keptIds = new Set(kept.map(({ id }) => id));
  const gone = stored.filter(([id]) => !keptIds.has(id));
  return gone.flatMap(([, payload, result]) => [payload, result].filter((key) => key !== null));
}

/** The job stands where its chunk began: somebody who repeats the chunk purges nothing that came later. */
const IN_CHUNK = 'EXISTS (SELECT 1 FROM job_progress WHERE job = ?4 AND position = ?5)';

/** Nothing that was said of the task, or by it, is left: its number, labels and what it is found by go too. */
const EMPTY = `
  UPDATE tasks SET ${WITHOUT_BODIES}, ref = NULL, labels = NULL, error = NULL, progress = NULL, on_complete = NULL
  WHERE id IN (SELECT value FROM json_each(?1)) AND finished_at >= ?2 AND service <> '' AND ${IN_CHUNK}`;

const DELETE_OLD = `DELETE FROM tasks WHERE id IN (SELECT value FROM json_each(?1)) AND finished_at < ?2 AND ?3 > 0 AND ${IN_CHUNK}`;

/** What leads to them. Two statements: of a union the table would be walked. */
const DELETE_FINDS = [
  `SELECT 'ref:' || tasks.ref, tasks.subject, tasks.id
   FROM json_each(?1) AS purged CROSS JOIN tasks ON tasks.id = purged.value
   WHERE tasks.ref IS NOT NULL AND tasks.finished_at IS NOT NULL`,
  `SELECT 'label:' || label.key || ':' || label.value, tasks.subject, tasks.id
   FROM json_each(?1) AS purged CROSS JOIN tasks ON tasks.id = purged.value
     CROSS JOIN json_each(coalesce(tasks.labels, '{}')) AS label
   WHERE tasks.finished_at IS NOT NULL`,
].map((found) => `DELETE FROM finds WHERE (term, subject, entry) IN (${found}) AND ${IN_CHUNK} AND ?2 > 0 AND ?3 > 0`);

/**
 * Ended tasks are purged: a young one leaves its emptied row, which outlives its messages (rule R6).
 * @param rowsOf tasks that finished before, Unix ms, go with their rows
 * @returns what is written first, and then the statements whose changes are the tasks that are purged
 */
export function purgeStatements(
  db: D1Database,
  ids: readonly string[],
  { job, from }: { readonly job: string; readonly from: string },
  rowsOf: number,
  now: number,
): { readonly first: readonly D1PreparedStatement[]; readonly purging: readonly D1PreparedStatement[] } {
  const values = [JSON.stringify(ids), rowsOf, now, job, from];
  const statement = (sql: string) => db.prepare(sql).bind(...values);
  return { first: DELETE_FINDS.map(statement), purging: [statement(EMPTY), statement(DELETE_OLD)] };
}
