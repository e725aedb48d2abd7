/**
 * Schedules, in the control database. Guarantee: of any number of sweepers that find a run due exactly one
 * decides it (`decideRuns` is guarded by the time that was planned), and a decided run has the id of its task
 * in the row, so that submitting it twice makes one task.
 */

export interface PendingRun {
  /** The planned time, Unix ms. */
  readonly at: number;
  /** The task that it makes. */
  readonly id: string;
}

export interface ScheduleRow {
  readonly subject: string;
  readonly name: string;
  readonly cron: string;
  readonly time_zone: string;
  /** The submission, as JSON. */
  readonly task: string;
  readonly overlap: 'skip' | 'queue' | 'cancel-older';
  readonly catch_up: number;
  readonly paused: number;
  readonly next_at: number | null;
  /** `PendingRun[]`, as JSON. */
  readonly pending: string | null;
  readonly last_at: number | null;
  readonly last_task: string | null;
  readonly last_error: string | null;
}

const COLUMNS =
  'subject, name, cron, time_zone, task, overlap, catch_up, paused, next_at, pending, last_at, last_task, last_error';

type Definition = Pick<ScheduleRow, 'subject' | 'name' | 'cron' | 'time_zone' | 'task' | 'overlap' | 'catch_up'>;

/** Creates or redefines; what has run stays known. @returns whether it is new */
export async function putSchedule(db: D1Database, schedule: Definition, nextAt: number | undefined): Promise<boolean> {
  const existing = await readSchedule(db, schedule.subject, schedule.name);
  await db
    .prepare(
      `INSERT INTO schedules (subject, name, cron, time_zone, task, overlap, catch_up, next_at)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
       ON CONFLICT (subject, name) DO UPDATE SET cron = excluded.cron, time_zone = excluded.time_zone,
         task = excluded.task, overlap = excluded.overlap, catch_up = excluded.catch_up, next_at = excluded.next_at`,
    )
    .bind(
      schedule.subject,
      schedule.name,
      schedule.cron,
      schedule.time_zone,
      schedule.task,
      schedule.overlap,
      schedule.catch_up,
      nextAt ?? null,
    )
    .run();
  return existing === undefined;
}

export async function readSchedule(db: D1Database, subject: string, name: string): Promise<ScheduleRow | undefined> {
  const row = await db
    .prepare(`SELECT ${COLUMNS} FROM schedules WHERE subject = ?1 AND name = ?2`)
    .bind(subject, name)
    .first<ScheduleRow>();
  return row ?? undefined;
}

/** @param subject whose; undefined: everybody's */
export async function listSchedules(
  db: D1Database,
  subject: string | undefined,
  limit: number,
): Promise<ScheduleRow[]> {
  const { results } = await db
    .prepare(`SELECT ${COLUMNS} FROM schedules WHERE ?1 IS NULL OR subject = ?1 ORDER BY subject, name LIMIT ?2`)
    .bind(subject ?? null, limit)
    .all<ScheduleRow>();
  return results;
}

export async function countSchedules(db: D1Database, subject: string): Promise<number> {
  const row = await db
    .prepare('SELECT count(*) AS count FROM schedules WHERE subject = ?1')
    .bind(subject)
    .first<{ count: number }>();
  return row?.count ?? 0;
}

/** @returns whether there was one */
export async function deleteSchedule(db: D1Database, subject: string, name: string): Promise<boolean> {
  const { meta } = await db.prepare('DELETE FROM schedules WHERE subject = ?1 AND name = ?2').bind(subject, name).run();
  return meta.changes > 0;
}

/** @param nextAt of a schedule that is resumed: what was missed while it was paused is not made up for */
export async function setSchedulePaused(
  db: D1Database,
  subject: string,
  name: string,
  paused: boolean,
  nextAt: number | undefined,
): Promise<boolean> {
  const { meta } = await db
    .prepare('UPDATE schedules SET paused = ?3, next_at = ?4 WHERE subject = ?1 AND name = ?2')
    .bind(subject, name, paused ? 1 : 0, nextAt ?? null)
    .run();
  return meta.changes > 0;
}

/** Schedules with a run due, and those whose decided runs were not submitted to the end. */
export async function readDueSchedules(db: D1Database, now: number, limit: number): Promise<ScheduleRow[]> {
  const pending = db
    .prepare(`SELECT ${COLUMNS} FROM schedules WHERE pending IS NOT NULL ORDER BY subject, name LIMIT ?1`)
    .bind(limit);
  const due = db
    .prepare(
      `SELECT ${COLUMNS} FROM schedules
       WHERE paused = 0 AND next_at IS NOT NULL AND next_at <= ?1 AND pending IS NULL ORDER BY next_at LIMIT ?2`,
    )
    .bind(now, limit);
  const answers = await db.batch<ScheduleRow>([pending, due]);
  return answers.flatMap(({ results }) => results);
}

/** Decides runs: the planned time moves on and the runs' tasks get their ids. @returns false when somebody else did */
export async function decideRuns(
  db: D1Database,
  schedule: Pick<ScheduleRow, 'subject' | 'name' | 'next_at'>,
  runs: readonly PendingRun[],
  nextAt: number | undefined,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `UPDATE schedules SET next_at = ?4, pending = ?5
       WHERE subject = ?1 AND name = ?2 AND next_at IS ?3 AND pending IS NULL`,
    )
    .bind(
      schedule.subject,
      schedule.name,
      schedule.next_at,
      nextAt ?? null,
      runs.length === 0 ? null : JSON.stringify(runs),
    )
    .run();
  return meta.changes > 0;
}

/** The decided runs are submitted, or refused with a reason. Safe to repeat. */
export async function finishRuns(
  db: D1Database,
  schedule: Pick<ScheduleRow, 'subject' | 'name' | 'pending'>,
  last: { readonly at: number; readonly task: string | undefined; readonly error: string | undefined } | undefined,
): Promise<void> {
  await db
    .prepare(
      `UPDATE schedules SET pending = NULL, last_at = coalesce(?4, last_at), last_task = coalesce(?5, last_task),
         last_error = CASE WHEN ?4 IS NULL THEN last_error ELSE ?6 END
       WHERE subject = ?1 AND name = ?2 AND pending IS ?3`,
    )
    .bind(schedule.subject, schedule.name, schedule.pending, last?.at ?? null, last?.task ?? null, last?.error ?? null)
    .run();
}
