/** Statements to a database of the account, as the API takes them. */
import * as z from 'zod';
import type { CloudflareApi } from './api.ts';

/** wrangler's own, so that `wrangler d1 migrations list --remote` agrees. */
export const MIGRATIONS_TABLE = 'd1_migrations';

const CREATE_MIGRATIONS_TABLE = `CREATE TABLE IF NOT EXISTS ${MIGRATIONS_TABLE}(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT UNIQUE,
  applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL
);`;

const ResultsSchema = z.array(
  z.looseObject({ results: z.array(z.record(z.string(), z.unknown())).default([]), success: z.boolean() }),
);

/** Reads, or changes that may be made twice: a lost answer is asked for again. @returns the last statement's rows */
export async function queryDatabase(
  api: CloudflareApi,
  databaseId: string,
  sql: string,
  params: readonly string[] = [],
): Promise<Record<string, unknown>[]> {
  const answer = await api.postAgain(`/d1/database/${databaseId}/query`, { sql, params });
  return ResultsSchema.parse(answer).at(-1)?.results ?? [];
}

export interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** The table, the migration and its line in it together: the API runs one text's statements in one transaction. */
export async function applyMigration(api: CloudflareApi, databaseId: string, migration: Migration): Promise<void> {
  const record = `INSERT INTO ${MIGRATIONS_TABLE} (name) VALUES ('${migration.name.replaceAll("'", "''")}');`;
  const sql = [CREATE_MIGRATIONS_TABLE, migration.sql, record].join('\n');
  await api.post(`/d1/database/${databaseId}/query`, { sql }, z.unknown());
}

/** A store that is to go keeps this line: since when it gets no new tasks. */
const DRAINING = 'draining';

export async function readDraining(
  api: CloudflareApi,
  databaseId: string,
): Promise<{ readonly since: number; readonly isEmpty: boolean } | undefined> {
  const [row] = await queryDatabase(
    api,
    databaseId,
    'SELECT position AS since, NOT EXISTS (SELECT 1 FROM tasks) AS is_empty FROM scans WHERE name = ?1',
    [DRAINING],
  );
  return row === undefined ? undefined : { since: Number(row.since), isEmpty: Number(row.is_empty) === 1 };
}

/** @param since Unix ms; undefined: the store gets tasks again */
export async function noteDraining(api: CloudflareApi, databaseId: string, since: number | undefined): Promise<void> {
  if (since === undefined) {
    await queryDatabase(api, databaseId, 'DELETE FROM scans WHERE name = ?1', [DRAINING]);
    return;
  }
  const sql = 'INSERT INTO scans (name, position) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING';
  await queryDatabase(api, databaseId, sql, [DRAINING, String(since)]);
}
