/**
 * Jobs: in the control database what is asked, in each store how far it is. Guarantee: the position of a job in
 * a store moves in one transaction with the tasks of a chunk, and only from where its author saw it; so whoever
 * dies between two chunks, or runs a chunk twice, does nothing twice and counts nothing twice.
 */
import type { JobAct, JobStatus } from '../job/job.ts';
import { runForEach } from './parameter.ts';

export interface JobRow {
  readonly id: string;
  readonly act: JobAct;
  readonly subject: string;
  readonly asked: string;
  readonly filter: string;
  readonly per_second: number | null;
  readonly matched: number;
  readonly is_counted: number;
  readonly status: JobStatus;
  readonly created_at: number;
  readonly finished_at: number | null;
}

const COLUMNS = 'id, act, subject, asked, filter, per_second, matched, is_counted, status, created_at, finished_at';

export type NewJob = Omit<JobRow, 'status' | 'finished_at'>;

export async function createJob(db: D1Database, job: NewJob): Promise<void> {
  await db
    .prepare(
      `INSERT INTO jobs (id, act, subject, asked, filter, per_second, matched, is_counted, created_at)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
    )
    .bind(
      job.id,
      job.act,
      job.subject,
      job.asked,
      job.filter,
      job.per_second,
      job.matched,
      job.is_counted,
      job.created_at,
    )
    .run();
}

export async function readJob(db: D1Database, id: string): Promise<JobRow | undefined> {
  return (await db.prepare(`SELECT ${COLUMNS} FROM jobs WHERE id = ?1`).bind(id).first<JobRow>()) ?? undefined;
}

/** Newest first. @param subject whose; undefined: everybody's */
export async function listJobs(
  db: D1Database,
  subject: string | undefined,
  before: string | undefined,
  limit: number,
): Promise<JobRow[]> {
  const { results } = await db
    .prepare(`SELECT ${COLUMNS} FROM jobs WHERE id < ?2 AND (?1 IS NULL OR subject = ?1) ORDER BY id DESC LIMIT ?3`)
    .bind(subject ?? null, before ?? 'job_~', limit)
    .all<JobRow>();
  return results;
}

/** The oldest first. */
export async function readRunningJobs(db: D1Database, limit: number): Promise<JobRow[]> {
  const { results } = await db
    .prepare(`SELECT ${COLUMNS} FROM jobs WHERE status = 'running' ORDER BY id LIMIT ?1`)
    .bind(limit)
    .all<JobRow>();
  return results;
}

/** @returns whether it was running until now */
export async function endJob(
  db: D1Database,
  id: string,
  status: 'finished' | 'aborted',
  now: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare(`UPDATE jobs SET status = ?2, finished_at = ?3 WHERE id = ?1 AND status = 'running'`)
    .bind(id, status, now)
    .run();
  return meta.changes > 0;
}

export async function deleteOldJobs(db: D1Database, before: number, limit: number): Promise<void> {
  await db
    .prepare(
      `DELETE FROM jobs WHERE id IN (SELECT id FROM jobs WHERE id < ?1 AND status <> 'running' ORDER BY id LIMIT ?2)`,
    )
    .bind(`job_${before.toString(16).padStart(12, '0')}`, limit)
    .run();
}

export interface JobProgress {
  readonly job: string;
  readonly position: string;
  readonly seen: number;
  readonly done: number;
}

/** Of jobs that have begun in this store. */
export function readProgress(db: D1Database, jobs: readonly string[]): Promise<JobProgress[]> {
  return runForEach<JobProgress>(
    db,
    'SELECT job, position, seen, done FROM job_progress WHERE job IN (SELECT value FROM json_each(?1))',
    [JSON.stringify(jobs)],
  );
}

export async function deleteOldProgress(db: D1Database, before: number, limit: number): Promise<void> {
  await db
    .prepare(
      'DELETE FROM job_progress WHERE job IN (SELECT job FROM job_progress WHERE job < ?1 ORDER BY job LIMIT ?2)',
    )
    .bind(`job_${before.toString(16).padStart(12, '0')}`, limit)
    .run();
}

export interface JobChunk {
  readonly job: string;
  /** Where the chunk's author saw the job. */
  readonly from: string;
  /** Where it is after the chunk; empty at the end. */
  readonly to: string;
  /** Tasks of the chunk. */
  readonly tasks: number;
}

/** Of a job that has not begun: after every id. */
export const JOB_START = '~';

const BEGIN = `INSERT INTO job_progress (job, position, seen, done) VALUES (?1, '${JOB_START}', 0, 0) ON CONFLICT DO NOTHING`;
/** Adds what the statement before it has changed. */
const COUNT = 'UPDATE job_progress SET done = done + changes() WHERE job = ?1 AND position = ?2';
const MOVE = 'UPDATE job_progress SET position = ?3, seen = seen + ?4 WHERE job = ?1 AND position = ?2';

/**
 * Writes a chunk. Statements that were repeated change nothing by their own guards.
 * @param before statements whose changes are not counted
 * @param counted statements, each of which changes a task at most once
 * @returns what the counted statements returned
 */
export async function writeChunk<Row>(
  db: D1Database,
  { job, from, to, tasks }: JobChunk,
  before: readonly D1PreparedStatement[],
  counted: readonly D1PreparedStatement[],
): Promise<Row[]> {
  const answers = await db.batch<Row>([
    db.prepare(BEGIN).bind(job),
    ...before,
    ...counted.flatMap((statement) => [statement, db.prepare(COUNT).bind(job, from)]),
    db.prepare(MOVE).bind(job, from, to, tasks),
  ]);
  return answers.flatMap((answer) => answer.results);
}

export async function readRedriveStarts(db: D1Database): Promise<Map<string, number>> {
  const { results } = await db.prepare('SELECT service, until FROM redrive_starts').all<{
    service: string;
    until: number;
  }>();
  return new Map(results.map(({ service, until }) => [service, until]));
}

/** Before the tasks are written: a crash in between leaves starts unused, and never gives them away twice. */
export async function writeRedriveStarts(db: D1Database, starts: ReadonlyMap<string, number>): Promise<void> {
  await runForEach(
    db,
    `INSERT INTO redrive_starts (service, until) SELECT value->>0, value->>1 FROM json_each(?1) WHERE true
     ON CONFLICT (service) DO UPDATE SET until = max(until, excluded.until)`,
    [JSON.stringify([...starts])],
  );
}

export async function forgetRedriveStarts(db: D1Database, before: number): Promise<void> {
  await db.prepare('DELETE FROM redrive_starts WHERE until < ?1').bind(before).run();
}

/** One runner at a time: paces are for all jobs together. @returns whether it is this one */
export async function takeJobRunner(db: D1Database, until: number, now: number): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `INSERT INTO scans (name, position) VALUES ('job-runner', ?1)
       ON CONFLICT (name) DO UPDATE SET position = excluded.position WHERE CAST(scans.position AS INTEGER) <= ?2`,
    )
    .bind(String(until), now)
    .run();
  return meta.changes > 0;
}

/** @param until what it was taken with: somebody else's turn is left alone */
export async function releaseJobRunner(db: D1Database, until: number): Promise<void> {
  await db
    .prepare(`UPDATE scans SET position = '0' WHERE name = 'job-runner' AND position = ?1`)
    .bind(String(until))
    .run();
}
