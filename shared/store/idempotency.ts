/**
 * Idempotency keys: which task was submitted under which key of its owner. Guarantee: of any number of
 * claims of one key, over any number of isolates, exactly one wins, and the others find the task of the
 * one that did. A key that has expired is claimed as if it were not there.
 */
import { jsonParameters, ROWS, runForEach } from './parameter.ts';

export interface KeyClaim {
  readonly key: string;
  /** The task that is to be made under the key. */
  readonly id: string;
  /** Hashes of the submission's members, as JSON text. */
  readonly fields: string;
}

export interface KeyRow {
  readonly key: string;
  readonly id: string;
  readonly fields: string;
}

const CLAIM = `
  INSERT INTO idempotency_keys (subject, key, id, fields, expires_at)
  SELECT ?2, value->>'key', value->>'id', value->>'fields', ?4 FROM ${ROWS}
  WHERE true
  ON CONFLICT (subject, key) DO UPDATE SET id = excluded.id, fields = excluded.fields, expires_at = excluded.expires_at
    WHERE idempotency_keys.expires_at <= ?3
  RETURNING id`;

/** @returns the ids of the claims that won */
export async function claimKeys(
  db: D1Database,
  subject: string,
  claims: readonly KeyClaim[],
  now: number,
  expiresAt: number,
): Promise<Set<string>> {
  const rows = await runForEach<{ id: string }>(db, CLAIM, jsonParameters(claims), subject, now, expiresAt);
  return new Set(rows.map(({ id }) => id));
}

export async function readKeys(db: D1Database, subject: string, keys: readonly string[]): Promise<Map<string, KeyRow>> {
  const rows = await runForEach<KeyRow>(
    db,
    'SELECT key, id, fields FROM idempotency_keys WHERE subject = ?2 AND key IN (SELECT value FROM json_each(?1))',
    jsonParameters(keys),
    subject,
  );
  return new Map(rows.map((row) => [row.key, row]));
}

/**
 * Takes the key over from a task that ended without success.
 * @param from that task: another one that was made under the key meanwhile keeps it
 */
export async function takeKeyOver(
  db: D1Database,
  subject: string,
  { key, id, fields }: KeyClaim,
  from: string,
  expiresAt: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      'UPDATE idempotency_keys SET id = ?3, fields = ?4, expires_at = ?5 WHERE subject = ?1 AND key = ?2 AND id = ?6',
    )
    .bind(subject, key, id, fields, expiresAt, from)
    .run();
  return meta.changes > 0;
}

/** Where a step of the clean-up ended: a place in the primary key. */
interface KeyPlace {
  readonly subject: string;
  readonly key: string;
}

/**
 * One bounded step through the table, which has no index on time: deletes what has expired among the next
 * `rows` keys.
 * @param position where the last step ended, `''` at the start
 * @returns where the next step starts (`''` after the end of the table)
 */
export async function forgetExpiredKeys(db: D1Database, position: string, rows: number, now: number): Promise<string> {
  const after: KeyPlace = position === '' ? { subject: '', key: '' } : (JSON.parse(position) as KeyPlace);
  const { results } = await db
    .prepare(
      `SELECT subject, key, expires_at <= ?4 AS expired FROM idempotency_keys
       WHERE (subject, key) > (?1, ?2) ORDER BY subject, key LIMIT ?3`,
    )
    .bind(after.subject, after.key, rows, now)
    .all<KeyPlace & { expired: number }>();
  const expired = results.filter((row) => row.expired === 1).map(({ subject, key }) => ({ subject, key }));
  await runForEach(
    db,
    `DELETE FROM idempotency_keys WHERE expires_at <= ?2
       AND (subject, key) IN (SELECT value->>'subject', value->>'key' FROM ${ROWS})`,
    jsonParameters(expired),
    now,
  );
  const last = results.at(-1);
  return results.length < rows || last === undefined ? '' : JSON.stringify({ subject: last.subject, key: last.key });
}
