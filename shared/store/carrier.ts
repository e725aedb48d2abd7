/**
 * Tasks and what will wake them (rule R1: every recorded open task has an unacked message or a
 * `due_at`). The partial index on `due_at` holds only the tasks that the queues do not carry.
 */
import { jsonParameters, runForEach } from './parameter.ts';
import { STATE_COLUMNS, type StateRow } from './row.ts';

/** As a CHECK of the table has it. A list of statuses would cost another row read for each row that is looked at. */
const OPEN = 'finished_at IS NULL';

/**
 * Why the sweeper looks at a task, each with an index of its own (rule R23): its callback is overdue, its
 * deadline passed while it stood in line, or a wake-up must be sent (again).
 */
export const DUE_KINDS = ['callback', 'deadline', 'send'] as const;
export type DueKind = (typeof DUE_KINDS)[number];

/** Word for word as in the indexes: SQLite uses a partial index only where it sees its condition. */
const DUE: Record<DueKind, string> = {
  callback: `status = 'waiting'`,
  deadline: `status <> 'waiting' AND due_at = deadline_at`,
  send: `status <> 'waiting' AND parked_for IS NULL AND due_at < deadline_at`,
};

/** The tasks of a kind whose time has come, the longest overdue first. */
export async function readDue(db: D1Database, kind: DueKind, now: number, limit: number): Promise<StateRow[]> {
  const { results } = await db
    .prepare(`SELECT ${STATE_COLUMNS} FROM tasks WHERE ${DUE[kind]} AND due_at <= ?1 ORDER BY due_at LIMIT ?2`)
    .bind(now, limit)
    .all<StateRow>();
  return results;
}

/** In line, with a fallback that was due before the deadline: nothing else looks at it after that. */
const IS_LEFT_IN_LINE = 'parked_for IS NOT NULL AND due_at < deadline_at';

/** Gives open tasks that have no `due_at` one, at their deadline at the latest; leaves the others alone. */
export async function makeDue(db: D1Database, ids: readonly string[], dueAt: number): Promise<void> {
  await runForEach(
    db,
    `UPDATE tasks SET due_at = min(?2, deadline_at) WHERE id IN (SELECT value FROM json_each(?1))
       AND (due_at IS NULL OR ${IS_LEFT_IN_LINE} AND deadline_at <= ?2) AND ${OPEN}`,
    jsonParameters(ids),
    dueAt,
  );
}

/**
 * The net under everything (rule R9): one bounded step of a scan in id order, looking for open tasks
 * past their deadline that nothing will wake. Reads only.
 * @returns the strays, and where the next step starts (`''` after the end of the table)
 */
export async function scanForStrays(
  db: D1Database,
  position: string,
  rows: number,
  now: number,
): Promise<{ strays: string[]; position: string }> {
  const step = await db
    .prepare(
      `SELECT max(id) AS last, count(*) AS rows, json_group_array(id) FILTER (WHERE stray) AS strays FROM (
         SELECT id, (due_at IS NULL OR ${IS_LEFT_IN_LINE}) AND deadline_at <= ?3 AND coalesce(lease_until, 0) <= ?3 AND ${OPEN} AS stray
         FROM tasks WHERE id > ?1 ORDER BY id LIMIT ?2)`,
    )
    .bind(position, rows, now)
    .first<{ last: string | null; rows: number; strays: string }>();
  if (step === null) return { strays: [], position: '' };
  return {
    strays: JSON.parse(step.strays) as string[],
    position: step.rows < rows ? '' : (step.last ?? ''),
  };
}

/** Where the sweeper notes when it last began a round, Unix ms. */
export const SWEPT_NAME = 'swept';

export async function readScanPosition(db: D1Database, name: string): Promise<string> {
  const row = await db.prepare('SELECT position FROM scans WHERE name = ?1').bind(name).first<{ position: string }>();
  return row?.position ?? '';
}

export async function writeScanPosition(db: D1Database, name: string, position: string): Promise<void> {
  await db
    .prepare(
      'INSERT INTO scans (name, position) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET position = excluded.position',
    )
    .bind(name, position)
    .run();
}
