/**
 * What alerts are measured by, in statements whose cost has a bound whatever waits: tasks that will be late where
 * they stand in line, tasks whose time is nearly up, messages that were given up on.
 */
import { jsonParameters, runForEach } from './parameter.ts';

/** Heads of a line that are looked at: those behind them are judged by the newest. */
const HEADS = 200;

/** Tasks near their deadline that are counted at most. */
const MAX_EXPIRING = 1_000;

const DEAD_HOURS_KEPT = 48;

export interface LineDeadline {
  readonly line: string;
  /** How many of its store stand before it. */
  readonly ahead: number;
  readonly deadline_at: number;
  /** True for the newest task of the line. */
  readonly is_last: 0 | 1;
}

/** Of each line the oldest tasks, with their position, and the newest. Costs 201 rows a line. */
export function readLineDeadlines(db: D1Database, lines: readonly string[]): Promise<LineDeadline[]> {
  return runForEach<LineDeadline>(
    db,
    `SELECT wanted.value AS line, row_number() OVER (PARTITION BY wanted.value ORDER BY tasks.place, tasks.id) - 1 AS ahead,
       tasks.deadline_at, 0 AS is_last
     FROM json_each(?1) AS wanted JOIN tasks ON tasks.id IN (
       SELECT id FROM tasks WHERE parked_for = wanted.value ORDER BY place, id LIMIT ${HEADS})
     UNION ALL
     SELECT wanted.value, 0, tasks.deadline_at, 1
     FROM json_each(?1) AS wanted JOIN tasks ON tasks.id = (
       SELECT id FROM tasks WHERE parked_for = wanted.value ORDER BY place DESC, id DESC LIMIT 1)`,
    jsonParameters(lines),
  );
}

export interface NearDeadline {
  readonly id: string;
  readonly service: string;
  readonly deadline_at: number;
  readonly life_ms: number | null;
}

/** Tasks that nothing is to move before their deadline, which is near; those in line are `readLineDeadlines`'. */
export async function readNearDeadlines(db: D1Database, now: number, withinMs: number): Promise<NearDeadline[]> {
  const { results } = await db
    .prepare(
      `SELECT id, service, deadline_at, life_ms FROM tasks
       WHERE status <> 'waiting' AND due_at = deadline_at AND due_at > ?1 AND due_at <= ?2
       ORDER BY due_at LIMIT ${MAX_EXPIRING}`,
    )
    .bind(now, now + withinMs)
    .all<NearDeadline>();
  return results;
}

export async function noteDeadLetters(control: D1Database, messages: number, hour: number): Promise<void> {
  await control
    .prepare(
      `INSERT INTO dead_letters (hour, messages) VALUES (?1, ?2)
       ON CONFLICT (hour) DO UPDATE SET messages = messages + excluded.messages`,
    )
    .bind(hour, messages)
    .run();
}

export async function countDeadLetters(control: D1Database, sinceHour: number): Promise<number> {
  const row = await control
    .prepare('SELECT coalesce(sum(messages), 0) AS count FROM dead_letters WHERE hour >= ?1')
    .bind(sinceHour)
    .first<{ count: number }>();
  return row?.count ?? 0;
}

export async function forgetDeadLetters(control: D1Database, hour: number): Promise<void> {
  await control
    .prepare('DELETE FROM dead_letters WHERE hour < ?1')
    .bind(hour - DEAD_HOURS_KEPT)
    .run();
}
