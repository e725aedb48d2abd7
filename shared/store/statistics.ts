/**
 * Statistics by hour: a row a service, subject or server and hour, added to in place. Adding is not
 * idempotent, so a write that reports an error is not repeated: the tasks' rows are the record, these
 * numbers a summary that may miss a few seconds of an isolate that went away.
 */
import type { Tally, TallyKind } from '../statistics/tally.ts';
import { jsonParameters, ROWS, runForEach } from './parameter.ts';

interface StatisticsRow {
  readonly kind: TallyKind;
  readonly name: string;
  readonly hour: number;
  readonly counts: string;
  readonly deferrals: string;
  readonly start_histogram: string;
  readonly call_histogram: string;
  readonly total_histogram: string;
  readonly waits: string;
}

/** The sum of two arrays of numbers, as long as the newer one: a newer release counts more at the end. */
function summed(column: string): string {
  return `${column} = (
    SELECT json_group_array(added.value + coalesce(statistics.${column}->>added.key, 0) ORDER BY added.key)
    FROM json_each(excluded.${column}) AS added)`;
}

/** Most rows have none. */
const WAITS = `waits = CASE WHEN excluded.waits = '{}' THEN statistics.waits ELSE (
    SELECT json_group_object(key, times) FROM (SELECT key, sum(value) AS times FROM (
      SELECT key, value FROM json_each(excluded.waits) UNION ALL SELECT key, value FROM json_each(statistics.waits))
    GROUP BY key)) END`;

const ADD = `
  INSERT INTO statistics (kind, name, hour, counts, deferrals, start_histogram, call_histogram, total_histogram, waits)
  SELECT value->>'kind', value->>'name', value->>'hour', value->'counts', value->'deferrals', value->'start',
    value->'call', value->'total', coalesce(value->'waits', '{}')
  FROM ${ROWS} WHERE true
  ON CONFLICT (kind, name, hour) DO UPDATE SET
    ${['counts', 'deferrals', 'start_histogram', 'call_histogram', 'total_histogram'].map(summed).join(', ')}, ${WAITS}`;

export async function addToStatistics(db: D1Database, tallies: readonly Tally[]): Promise<void> {
  await runForEach(db, ADD, jsonParameters(tallies));
}

/** Of one kind, from an hour on, in order of name and hour. @param name one alone; undefined: all */
export async function readStatistics(
  db: D1Database,
  kind: TallyKind,
  fromHour: number,
  name: string | undefined,
  limit: number,
): Promise<Tally[]> {
  const { results } = await db
    .prepare(
      `SELECT kind, name, hour, counts, deferrals, start_histogram, call_histogram, total_histogram, waits FROM statistics
       WHERE kind = ?1 AND hour >= ?2 AND (?3 IS NULL OR name = ?3) ORDER BY name, hour LIMIT ?4`,
    )
    .bind(kind, fromHour, name ?? null, limit)
    .all<StatisticsRow>();
  return results.map((row) => ({
    kind: row.kind,
    name: row.name,
    hour: row.hour,
    counts: numbers(row.counts),
    deferrals: numbers(row.deferrals),
    start: numbers(row.start_histogram),
    call: numbers(row.call_histogram),
    total: numbers(row.total_histogram),
    waits: JSON.parse(row.waits) as Record<string, number>,
  }));
}

/** @returns how many rows went */
export async function deleteOldStatistics(db: D1Database, beforeHour: number, limit: number): Promise<number> {
  const { meta } = await db
    .prepare(
      `DELETE FROM statistics WHERE (kind, name, hour) IN (
         SELECT kind, name, hour FROM statistics WHERE hour < ?1 LIMIT ?2)`,
    )
    .bind(beforeHour, limit)
    .run();
  return meta.changes;
}

function numbers(text: string): number[] {
  return JSON.parse(text) as number[];
}
