/**
 * A table as it is after weeks: nearly all tasks have ended, their bodies are gone but for the newest, one in
 * a thousand is of a small tenant, one in ten of a rare service, one in fifty stands in a line.
 */
import { smallestTaskIdAt } from '../../shared/task/id.ts';

const START = Date.UTC(2026, 9, 1);
/** Ten tasks a second. */
const STEP_MS = 100;
/** Nobody who stands in line is near the deadline. */
const LIFE_MS = 60 * 86_400_000;
const CHUNK = 50_000;

export const LINE = 'service:busy';
export const SMALL = 'small';
export const RARE = 'rare';

/** When the task of this number was created. */
export function createdAt(number: number): number {
  return START + number * STEP_MS;
}

/** @returns how many rows there are then */
export async function fillTo(db: D1Database, from: number, to: number): Promise<number> {
  for (let first = from; first < to; first += CHUNK) {
    const last = Math.min(first + CHUNK, to);
    // The time's characters are made here, a thousand tasks at a time; the rest of the id by SQLite.
    const heads = Array.from({ length: Math.ceil((last - first) / 1_000) }, (_, index) =>
      smallestTaskIdAt(createdAt(first + index * 1_000)).slice(0, 13),
    );
    await db
      .prepare(
        `WITH RECURSIVE n (n) AS (SELECT CAST(?1 AS INTEGER) UNION ALL SELECT n + 1 FROM n WHERE n + 1 < ?2)
         INSERT INTO tasks (id, subject, service, status, run, deferrals, max_attempts, base_seconds, cap_seconds, deadline_at,
           next_at, due_at, reason, parked_for, finished_at, started_at, request, bodies_deleted_at)
         SELECT (?3 ->> ((n - CAST(?1 AS INTEGER)) / 1000)) || printf('%07d', n % 1000) || printf('%016d', n),
           CASE WHEN n % 1000 = 500 THEN '${SMALL}' ELSE 'large' END,
           CASE WHEN n % 10 = 0 THEN '${RARE}' ELSE 'common' END,
           CASE WHEN n % 50 = 7 THEN 'deferred' ELSE 'succeeded' END, 1, n % 50 = 7, 8, 2, 3600, ?4 + n * ${STEP_MS} + ${LIFE_MS},
           CASE WHEN n % 50 = 7 THEN ?4 + n * ${STEP_MS} + 3600000 END, CASE WHEN n % 50 = 7 THEN ?4 + n * ${STEP_MS} + 3600000 END,
           CASE WHEN n % 50 = 7 THEN 'no-server' END, CASE WHEN n % 50 = 7 THEN '${LINE}' END,
           CASE WHEN n % 50 <> 7 THEN ?4 + n * ${STEP_MS} + 1000 END, ?4 + n * ${STEP_MS},
           CASE WHEN n % 50 = 7 THEN '{}' END, CASE WHEN n % 50 <> 7 THEN ?4 + n * ${STEP_MS} + 2000 END
         FROM n`,
      )
      .bind(first, last, JSON.stringify(heads), START)
      .run();
  }
  return to;
}
