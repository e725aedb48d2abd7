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

/** The sum of two arrays of numbers, as long as the longer one: a newer release counts more at the end, and both may write. */
function summed(column: string): string {
  const isLonger = `json_array_length(statistics.${column}) > json_array_length(excluded.${column})`;
  return `${column} = (
    SELECT json_group_array(
      longer.value + coalesce(iif(${isLonger}, excluded.${column}, statistics.${column})->>longer.key, 0) ORDER BY longer.key)
    FROM json_each(iif(${isLonger}, statistics.${column}, excluded.${column})) AS longer)`;
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

/** The names of a kind, one step along the key each: there are as many hours of each as are kept. */
const NAMES = (first: string, isLast: string) => `
  WITH RECURSIVE names (name) AS (
    SELECT ${first}
    UNION ALL
    SELECT (SELECT min(name) FROM statistics WHERE kind = ?1 AND statistics.name > names.name) FROM names
    WHERE names.name IS NOT NULL AND ${isLast} IS NULL)`;

const READ = `${NAMES('coalesce(?3, (SELECT min(name) FROM statistics WHERE kind = ?1))', '?3')}
  SELECT statistics.* FROM names CROSS JOIN statistics
  WHERE statistics.kind = ?1 AND statistics.name = names.name AND statistics.hour >= ?2
  ORDER BY statistics.hour DESC LIMIT ?4`;

/**
 * Of one kind, from an hour on, in order of name and hour; the newest hours, where there are more than `limit` rows.
 * @param name one alone; undefined: all
 */
export async function readStatistics(
  db: D1Database,
  kind: TallyKind,
  fromHour: number,
  name: string | undefined,
  limit: number,
): Promise<Tally[]> {
  const { results } = await db
    .prepare(READ)
    .bind(kind, fromHour, name ?? null, limit)
    .all<StatisticsRow>();
  const tallies = results.map((row) => ({
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
  return tallies.sort((a, b) => (a.name === b.name ? a.hour - b.hour : a.name < b.name ? -1 : 1));
}

const DELETE = `DELETE FROM statistics WHERE (kind, name, hour) IN (
  ${NAMES('(SELECT min(name) FROM statistics WHERE kind = ?1)', 'NULL')}
  SELECT ?1, statistics.name, statistics.hour FROM names CROSS JOIN statistics
  WHERE statistics.kind = ?1 AND statistics.name = names.name AND statistics.hour < ?2 LIMIT ?3)`;

/** @returns how many rows of the kind went */
export async function deleteOldStatistics(
  db: D1Database,
  kind: TallyKind,
  beforeHour: number,
  limit: number,
): Promise<number> {
  const { meta } = await db.prepare(DELETE).bind(kind, beforeHour, limit).run();
  return meta.changes;
}

function numbers(text: string): number[] {
  return JSON.parse(text) as number[];
}
