/** Reads by id: a hit is one row read, a miss none. */

import type { Content } from '../task/content.ts';
import { isTerminal, type TaskStatus } from '../task/status.ts';
import { type StoredBody, StoredBodySchema } from '../task/stored-body.ts';
import { jsonParameters, runForEach } from './parameter.ts';
import { REQUEST_TEXT } from './request-columns.ts';
import {
  DETAIL_COLUMNS,
  STATE_COLUMNS,
  type StateRow,
  SUMMARY_COLUMNS,
  type TaskRow,
  type TaskSummaryRow,
} from './row.ts';

export async function readTask(db: D1Database, id: string): Promise<TaskRow | undefined> {
  return (await db.prepare(`SELECT ${DETAIL_COLUMNS} FROM tasks WHERE id = ?1`).bind(id).first<TaskRow>()) ?? undefined;
}

/** What a list shows of it. */
export async function readSummary(db: D1Database, id: string): Promise<TaskSummaryRow | undefined> {
  const row = await db.prepare(`SELECT ${SUMMARY_COLUMNS} FROM tasks WHERE id = ?1`).bind(id).first<TaskSummaryRow>();
  return row ?? undefined;
}

/** Which of these tasks have ended. */
export async function readEnded(db: D1Database, ids: readonly string[]): Promise<string[]> {
  const rows = await runForEach<{ id: string; status: TaskStatus }>(
    db,
    'SELECT id, status FROM tasks WHERE id IN (SELECT value FROM json_each(?1))',
    jsonParameters(ids),
  );
  return rows.filter(({ status }) => isTerminal(status)).map(({ id }) => id);
}

/** Status, owner and service only. */
export async function readStatus(
  db: D1Database,
  id: string,
): Promise<{ status: TaskStatus; subject: string; service: string } | undefined> {
  const row = await db
    .prepare('SELECT status, subject, service FROM tasks WHERE id = ?1')
    .bind(id)
    .first<{ status: TaskStatus; subject: string; service: string }>();
  return row ?? undefined;
}

export async function readStates(db: D1Database, ids: readonly string[]): Promise<Map<string, StateRow>> {
  const rows = await runForEach<StateRow>(
    db,
    `SELECT ${STATE_COLUMNS} FROM tasks WHERE id IN (SELECT value FROM json_each(?1))`,
    jsonParameters(ids),
  );
  return new Map(rows.map((row) => [row.id, row]));
}

export interface RecordedResult {
  readonly content?: Content;
  readonly stored?: StoredBody;
}

/** The result of a task that has succeeded, if it has one; undefined when it is not kept any more, or not there yet. */
export async function readResult(db: D1Database, id: string): Promise<RecordedResult | undefined> {
  const row = await db
    .prepare(`SELECT result_type, result_encoding, result, result_stored FROM tasks WHERE id = ?1 AND status = 'succeeded'
         AND bodies_deleted_at IS NULL`)
    .bind(id)
    .first<Pick<TaskRow, 'result_type' | 'result_encoding' | 'result' | 'result_stored'>>();
  if (row === null) return undefined;
  if (row.result_stored !== null) return { stored: StoredBodySchema.parse(JSON.parse(row.result_stored)) };
  if (row.result_type === null || row.result_encoding === null || row.result === null) return {};
  return { content: { type: row.result_type, encoding: row.result_encoding, text: row.result } };
}

/** The requests (JSON text) of recorded tasks, for wake-ups that carry none. */
export async function readRequests(db: D1Database, ids: readonly string[]): Promise<Map<string, string>> {
  const rows = await runForEach<{ id: string; request: string }>(
    db,
    `SELECT id, ${REQUEST_TEXT} AS request FROM tasks WHERE request IS NOT NULL AND id IN (SELECT value FROM json_each(?1))`,
    jsonParameters(ids),
  );
  return new Map(rows.map((row) => [row.id, row.request]));
}

export async function readCancelled(db: D1Database, ids: readonly string[]): Promise<string[]> {
  const rows = await runForEach<{ id: string }>(
    db,
    `SELECT id FROM tasks WHERE status = 'cancelled' AND id IN (SELECT value FROM json_each(?1))`,
    jsonParameters(ids),
  );
  return rows.map((row) => row.id);
}

/** Of a task whose request names services that may take it: as JSON. */
export interface FallbackRow {
  readonly id: string;
  readonly fallback: string;
  readonly fallback_on: string | null;
}

/** Tasks that name none are left out, and bodies are not read. */
export async function readFallbacks(db: D1Database, ids: readonly string[]): Promise<FallbackRow[]> {
  return runForEach<FallbackRow>(
    db,
    `SELECT id, request->'$.fallback' AS fallback, request->'$.fallbackOn' AS fallback_on FROM tasks
     WHERE request->'$.fallback' IS NOT NULL AND id IN (SELECT value FROM json_each(?1))`,
    jsonParameters(ids),
  );
}
