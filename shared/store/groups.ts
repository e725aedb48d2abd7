/**
 * Groups of tasks. All tasks of a group are in one store, beside the group's row: its counts are kept by triggers
 * (`migrations/schema/tasklane.sql`), so they are right whatever crashes, and the end of its last task is its own.
 */
import { TERMINAL_STATUSES, type TerminalStatus } from '../task/status.ts';
import { jsonParameters, ROWS, runForEach } from './parameter.ts';
import { STATE_COLUMNS, type StateRow } from './row.ts';

/** Each way to end has a column of its name, with how many tasks ended so. */
export interface GroupRow extends Readonly<Record<TerminalStatus, number>> {
  readonly subject: string;
  readonly name: string;
  readonly created_at: number;
  readonly closed_at: number | null;
  readonly ended_at: number | null;
  readonly cancelled_at: number | null;
  readonly total: number;
  /** The id of the task that tells of its end. */
  readonly message: string;
  /** `BoundHook`, as JSON. */
  readonly on_complete: string | null;
}

export type GroupName = Pick<GroupRow, 'subject' | 'name'>;

const COLUMNS = `subject, name, created_at, closed_at, ended_at, cancelled_at, total, ${TERMINAL_STATUSES.join(', ')}, message, on_complete`;
const DONE = TERMINAL_STATUSES.join(' + ');

/** @returns the store of the group: the one that is given, unless it has one already */
export async function placeGroup(control: D1Database, { subject, name }: GroupName, store: number): Promise<number> {
  const insert = control
    .prepare(
      'INSERT INTO group_stores (subject, name, store) VALUES (?1, ?2, ?3) ON CONFLICT (subject, name) DO NOTHING',
    )
    .bind(subject, name, store);
  const read = control.prepare('SELECT store FROM group_stores WHERE subject = ?1 AND name = ?2').bind(subject, name);
  const [, placed] = await control.batch<{ store: number }>([insert, read]);
  return placed?.results[0]?.store ?? store;
}

/** @returns undefined for a group that there is not */
export async function readGroupStore(control: D1Database, { subject, name }: GroupName): Promise<number | undefined> {
  const row = await control
    .prepare('SELECT store FROM group_stores WHERE subject = ?1 AND name = ?2')
    .bind(subject, name)
    .first<{ store: number }>();
  return row?.store;
}

/** Creates the group, unless there is one. @param message the id of the task that will tell of its end */
export async function createGroup(
  db: D1Database,
  { subject, name }: GroupName,
  message: string,
  now: number,
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO groups (subject, name, created_at, message) VALUES (?1, ?2, ?3, ?4)
       ON CONFLICT (subject, name) DO NOTHING`,
    )
    .bind(subject, name, now, message)
    .run();
}

/** @returns false when the group has ended: nobody is told of it any more */
export async function setGroupHook(db: D1Database, { subject, name }: GroupName, hook: string): Promise<boolean> {
  const { meta } = await db
    .prepare('UPDATE groups SET on_complete = ?3 WHERE subject = ?1 AND name = ?2 AND ended_at IS NULL')
    .bind(subject, name, hook)
    .run();
  return meta.changes > 0;
}

export async function readGroup(db: D1Database, { subject, name }: GroupName): Promise<GroupRow | undefined> {
  const row = await db
    .prepare(`SELECT ${COLUMNS} FROM groups WHERE subject = ?1 AND name = ?2`)
    .bind(subject, name)
    .first<GroupRow>();
  return row ?? undefined;
}

/** The newest first. @param subject whose; undefined: everybody's @param before created before this, Unix ms */
export async function listGroups(
  db: D1Database,
  subject: string | undefined,
  before: number,
  limit: number,
): Promise<GroupRow[]> {
  const statement =
    subject === undefined
      ? db
          .prepare(`SELECT ${COLUMNS} FROM groups WHERE created_at < ?1 ORDER BY created_at DESC LIMIT ?2`)
          .bind(before, limit)
      : db
          .prepare(
            `SELECT ${COLUMNS} FROM groups WHERE subject = ?3 AND created_at < ?1 ORDER BY created_at DESC LIMIT ?2`,
          )
          .bind(before, limit, subject);
  return (await statement.all<GroupRow>()).results;
}

/**
 * Takes no more tasks from now on; a group whose tasks have all ended ends with it. Safe to repeat.
 * @param cancels its tasks are to be cancelled
 */
export async function closeGroup(
  db: D1Database,
  { subject, name }: GroupName,
  cancels: boolean,
  now: number,
): Promise<GroupRow | undefined> {
  const row = await db
    .prepare(
      `UPDATE groups SET closed_at = coalesce(closed_at, ?3),
         cancelled_at = CASE WHEN ?4 AND ended_at IS NULL THEN coalesce(cancelled_at, ?3) ELSE cancelled_at END,
         ended_at = CASE WHEN ended_at IS NULL AND total = ${DONE} THEN ?3 ELSE ended_at END
       WHERE subject = ?1 AND name = ?2 RETURNING ${COLUMNS}`,
    )
    .bind(subject, name, now, cancels ? 1 : 0)
    .first<GroupRow>();
  return row ?? undefined;
}

/** Tasks of the group that have not ended, among the next `limit` of all its tasks. */
export async function readOpenOfGroup(
  db: D1Database,
  { subject, name }: GroupName,
  after: string,
  limit: number,
): Promise<{ readonly rows: StateRow[]; readonly last: string | undefined }> {
  const entries = db
    .prepare(
      `SELECT max(entry) AS last FROM (
         SELECT entry FROM finds WHERE term = 'group:' || ?2 AND subject = ?1 AND entry > ?3 ORDER BY entry LIMIT ?4)`,
    )
    .bind(subject, name, after, limit);
  const open = db
    .prepare(
      `SELECT ${STATE_COLUMNS} FROM (
         SELECT entry FROM finds WHERE term = 'group:' || ?2 AND subject = ?1 AND entry > ?3 ORDER BY entry LIMIT ?4) AS entries
       CROSS JOIN tasks ON tasks.id = entries.entry WHERE finished_at IS NULL`,
    )
    .bind(subject, name, after, limit);
  const [last, rows] = await db.batch([entries, open]);
  return {
    rows: (rows?.results ?? []) as StateRow[],
    last: (last?.results[0] as { last: string | null } | undefined)?.last ?? undefined,
  };
}

/** Groups whose tasks are still being cancelled, the oldest request first. */
export async function readCancellingGroups(db: D1Database, limit: number): Promise<GroupName[]> {
  const { results } = await db
    .prepare(
      `SELECT subject, name FROM groups WHERE cancelled_at IS NOT NULL AND ended_at IS NULL ORDER BY cancelled_at LIMIT ?1`,
    )
    .bind(limit)
    .all<GroupName>();
  return results;
}

/**
 * Deletes old groups whose tasks are gone, or have ended long ago.
 * @param before created and ended before this, Unix ms
 */
export async function forgetGroups(db: D1Database, before: number, limit: number): Promise<GroupName[]> {
  const { results } = await db
    .prepare(
      `DELETE FROM groups WHERE (subject, name) IN (
         SELECT subject, name FROM groups AS old WHERE created_at < ?1 AND (
           ended_at < ?1 OR NOT EXISTS (SELECT 1 FROM finds WHERE term = 'group:' || old.name AND subject = old.subject))
         ORDER BY created_at LIMIT ?2)
       RETURNING subject, name`,
    )
    .bind(before, limit)
    .all<GroupName>();
  return results;
}

export async function forgetGroupStores(control: D1Database, groups: readonly GroupName[]): Promise<void> {
  await runForEach(
    control,
    `DELETE FROM group_stores WHERE (subject, name) IN (SELECT value->>'subject', value->>'name' FROM ${ROWS})`,
    jsonParameters(groups),
  );
}
