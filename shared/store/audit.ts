/** The audit: one row an act, never changed, read from the newest back. */

export interface AuditRow {
  /** Sorts by time. */
  readonly id: string;
  readonly at: number;
  readonly subject: string;
  readonly role: string;
  readonly act: string;
  readonly target: string;
  readonly count: number;
  /** JSON, or null. */
  readonly before: string | null;
  readonly after: string | null;
  readonly request_id: string;
}

export interface AuditFilter {
  readonly act: string | undefined;
  readonly subject: string | undefined;
  /** Of the page: rows below this id. */
  readonly below: string | undefined;
  readonly since: number;
  readonly until: number;
  readonly limit: number;
}

const TIME_DIGITS = 12;

/** An id that sorts by time; the tail keeps acts of one millisecond apart. */
export function auditId(at: number, tail: string): string {
  return `aud_${at.toString(16).padStart(TIME_DIGITS, '0')}${tail}`;
}

export async function recordAct(db: D1Database, row: AuditRow): Promise<void> {
  await db
    .prepare(
      `INSERT INTO audit (id, at, subject, role, act, target, count, before, after, request_id)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (id) DO NOTHING`,
    )
    .bind(row.id, row.at, row.subject, row.role, row.act, row.target, row.count, row.before, row.after, row.request_id)
    .run();
}

/** Newest first. Acts are few: a filter may walk all of its span. */
export async function listActs(db: D1Database, filter: AuditFilter): Promise<AuditRow[]> {
  const { results } = await db
    .prepare(
      `SELECT id, at, subject, role, act, target, count, before, after, request_id FROM audit
       WHERE id >= ?1 AND id < ?2 AND (?3 IS NULL OR act = ?3) AND (?4 IS NULL OR subject = ?4)
       ORDER BY id DESC LIMIT ?5`,
    )
    .bind(
      auditId(filter.since, ''),
      filter.below ?? auditId(filter.until, ''),
      filter.act ?? null,
      filter.subject ?? null,
      filter.limit,
    )
    .all<AuditRow>();
  return results;
}

/** @returns how many rows went */
export async function deleteOldActs(db: D1Database, before: number, limit: number): Promise<number> {
  const { meta } = await db
    .prepare('DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE id < ?1 ORDER BY id LIMIT ?2)')
    .bind(auditId(before, ''), limit)
    .run();
  return meta.changes;
}
