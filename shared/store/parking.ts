/**
 * The waiting room's rows (rule R20): tasks that stand in line for capacity. Their row carries them: it
 * has a `due_at` as fallback, and no message is under way. A release writes one row a task: it keeps
 * `parked_for`, which the claim clears, so that a task whose wake-up is lost still stands in its line.
 */
import { GRACE_BASE_MS, GRACE_CAP_MS } from '../task/backoff.ts';
import type { DeferralReason } from '../task/state.ts';
import { jsonParameters, runForEach } from './parameter.ts';
import { LOW_BEHIND } from './turns.ts';

export interface ReleasedTask {
  readonly id: string;
  readonly service: string;
}

/** `graceMs` in SQL: when a wake-up that is sent now counts as lost. */
const DUE_AT = `min(?2 + min(${GRACE_CAP_MS}, ${GRACE_BASE_MS} << min(sends, 20)), deadline_at)`;

const RELEASED = `next_at = ?2, released_at = ?2, due_at = ${DUE_AT}, sends = sends + 1`;

/** With a plus no index leads to it: the planner would walk the whole line to find tasks whose ids are known. */
const STILL_IN_LINE = '+parked_for = ?1';

/** Not released, or so long ago that the wake-up is lost. */
const STANDS = '(released_at IS NULL OR due_at <= ?2)';

/** What a line's pace is worth: who moves it writes it no more often, unless it has changed by a fifth. */
const PACE_HOLDS_MS = 10_000;

/** An owner that has said nothing for so long moves the line no more. */
export const RATE_IS_OLD_MS = 120_000;

/** How fast its owner moves a line, tasks a second. */
export interface LineRate {
  readonly perSecond: number;
  /** Letters and digits: a pool's shards each move a part of its line. */
  readonly mover: string;
  /** Why it does not, whatever those that stand there were told as they came. */
  readonly reason?: DeferralReason | undefined;
}

/** Nobody needs more of a line's length; each is a row read. */
const MAX_COUNTED = 10_000;

/**
 * Makes tasks of a line claimable now, by their places, each once however often this runs at the same
 * time. The caller sends their wake-ups afterwards (rule R1).
 * @param rate when the line's owner knows it
 */
export async function releaseParkedTasks(
  db: D1Database,
  line: string,
  limit: number,
  rate: LineRate | undefined,
  now: number,
): Promise<{ released: ReleasedTask[]; left: boolean }> {
  const release = db
    .prepare(
      `UPDATE tasks SET ${RELEASED}
       WHERE id IN (SELECT id FROM tasks WHERE parked_for = ?1 AND ${STANDS} ORDER BY place, id LIMIT ?3) AND ${STILL_IN_LINE}
       RETURNING id, service, place`,
    )
    .bind(line, now, limit);
  const rest = anyWaiting(db, line, now);
  const notes = rate === undefined ? [] : [noteRate(db, line, rate, now)];
  const [released, left] = await db.batch<ReleasedTask & LineHead>([release, rest, ...notes]);
  const inTurn = (released?.results ?? []).sort(byPlace);
  return { released: inTurn, left: (left?.results.length ?? 0) > 0 };
}

/** Whose turn comes first. */
export function byPlace(one: LineHead, other: LineHead): number {
  return (one.place ?? 0) - (other.place ?? 0) || (one.id < other.id ? -1 : 1);
}

/** As `releaseParkedTasks`, of those tasks alone that stand in the line. */
export async function releaseParkedAmong(
  db: D1Database,
  line: string,
  ids: readonly string[],
  now: number,
): Promise<{ released: ReleasedTask[]; left: boolean }> {
  const release = db
    .prepare(
      `UPDATE tasks SET ${RELEASED}
       WHERE id IN (SELECT value FROM json_each(?3)) AND ${STILL_IN_LINE} AND ${STANDS} RETURNING id, service`,
    )
    .bind(line, now, JSON.stringify(ids));
  const [released, left] = await db.batch<ReleasedTask>([release, anyWaiting(db, line, now)]);
  return { released: released?.results ?? [], left: (left?.results.length ?? 0) > 0 };
}

function anyWaiting(db: D1Database, line: string, now: number): D1PreparedStatement {
  return db.prepare(`SELECT 1 AS found FROM tasks WHERE parked_for = ?1 AND ${STANDS} LIMIT 1`).bind(line, now);
}

/** The paces of a line by who moves it, this one among them. */
const RATES = `json_set(coalesce(lines.rates, '{}'), '$.' || ?4, json_array(?2, ?3, ?5))`;

/** What all who move the line make of it together. */
function noteRate(db: D1Database, line: string, rate: LineRate, now: number): D1PreparedStatement {
  const { perSecond, mover, reason = null } = rate;
  return db
    .prepare(
      `INSERT INTO lines (line, per_second, noted_at, rates) VALUES (?1, ?2, ?3, json_object(?4, json_array(?2, ?3, ?5)))
       ON CONFLICT (line) DO UPDATE SET noted_at = excluded.noted_at, rates = ${RATES},
         per_second = (SELECT sum(value->>0) FROM json_each(${RATES}) WHERE value->>1 > ?3 - ${RATE_IS_OLD_MS})
       WHERE coalesce(lines.rates->?4->>1, 0) <= ?3 - ${PACE_HOLDS_MS} OR abs(lines.rates->?4->>0 - ?2) > ?2 / 5.0
         OR lines.rates->?4->>2 IS NOT ?5`,
    )
    .bind(line, perSecond, now, mover, reason);
}

export interface LineHead {
  readonly id: string;
  /** Null in what an older release parked: they come first. */
  readonly place: number | null;
}

/** The tasks of a line that a release would take. */
export async function readLineHeads(db: D1Database, line: string, limit: number, now: number): Promise<LineHead[]> {
  const { results } = await db
    .prepare(`SELECT id, place FROM tasks WHERE parked_for = ?1 AND ${STANDS} ORDER BY place, id LIMIT ?3`)
    .bind(line, now, limit)
    .all<LineHead>();
  return results;
}

/** How many stand in each line, counted up to a bound, and who is at its head. */
export function describeParked(
  db: D1Database,
  lines: readonly string[],
): Promise<{ line: string; count: number; oldest_id: string | null }[]> {
  return runForEach(
    db,
    `SELECT value AS line,
       (SELECT count(*) FROM (SELECT 1 FROM tasks WHERE parked_for = value LIMIT ${MAX_COUNTED})) AS count,
       (SELECT id FROM tasks WHERE parked_for = value ORDER BY place, id LIMIT 1) AS oldest_id
     FROM json_each(?1)`,
    jsonParameters(lines),
  );
}

/**
 * Wakes the head of each line when its fallback has come: whoever owns the capacity learns by it that the
 * line stands, should that have been forgotten. A task that is past its deadline is not this one's matter.
 */
export function releaseDueHeads(
  db: D1Database,
  lines: readonly string[],
  now: number,
): Promise<(ReleasedTask & { line: string })[]> {
  return runForEach(
    db,
    `UPDATE tasks SET ${RELEASED}
     WHERE id IN (SELECT (SELECT id FROM tasks WHERE parked_for = value ORDER BY place, id LIMIT 1) FROM json_each(?1))
       AND parked_for IS NOT NULL AND due_at <= ?2 AND deadline_at > ?2
     RETURNING id, service, parked_for AS line`,
    jsonParameters(lines),
    now,
  );
}

/**
 * Makes tasks due that are past their deadline among the first of their line: nobody wakes them any more, and their fallback
 * may have been before it.
 * @param depth so many of each line; four rows read each
 * @returns the lines in which there were some
 */
export async function makeOverdueHeadsDue(
  db: D1Database,
  lines: readonly string[],
  depth: number,
  now: number,
): Promise<string[]> {
  const found = await runForEach<{ line: string }>(
    db,
    `UPDATE tasks SET due_at = deadline_at
     WHERE id IN (SELECT head.value FROM json_each(?1) AS line, json_each((SELECT json_group_array(id) FROM (
         SELECT id FROM tasks WHERE parked_for = line.value ORDER BY place, id LIMIT ?3))) AS head)
       AND parked_for IS NOT NULL AND due_at < deadline_at AND deadline_at <= ?2
     RETURNING parked_for AS line`,
    jsonParameters(lines),
    now,
    depth,
  );
  return [...new Set(found.map(({ line }) => line))];
}

/** The paces of lines that were noted since then, Unix ms. */
export async function readLineRates(db: D1Database, since: number): Promise<{ line: string; perSecond: number }[]> {
  const { results } = await db
    .prepare('SELECT line, per_second FROM lines WHERE noted_at >= ?1 AND per_second IS NOT NULL')
    .bind(since)
    .all<{ line: string; per_second: number }>();
  return results.map(({ line, per_second }) => ({ line, perSecond: per_second }));
}

/** Paces that nobody has noted for so long are of lines that are gone. */
export async function deleteOldLineRates(db: D1Database, before: number): Promise<void> {
  await db.prepare('DELETE FROM lines WHERE noted_at < ?1').bind(before).run();
}

/** The lines in which somebody stands, in order: one row read each. */
export async function readLines(db: D1Database, after: string, limit: number): Promise<string[]> {
  const { results } = await db
    .prepare(
      `WITH RECURSIVE heads (line) AS (
         SELECT min(parked_for) FROM tasks WHERE parked_for > ?1
         UNION ALL
         SELECT (SELECT min(parked_for) FROM tasks WHERE parked_for > heads.line) FROM heads
         WHERE heads.line IS NOT NULL LIMIT ?2)
       SELECT line FROM heads WHERE line IS NOT NULL`,
    )
    .bind(after, limit)
    .all<{ line: string }>();
  return results.map(({ line }) => line);
}

/** Whoever moves a line notes it so often, and a little later at most. */
export const MOVES_WITHIN_MS = 2 * PACE_HOLDS_MS;

/** Each is a row read of every poll of a parked task, in every store. */
const MAX_AHEAD = 1_000;

/**
 * Where more stand before a task than are counted: the places between the head (`near.head`) and it (?2) that the
 * submitters of the line have taken. Each has its tasks one place behind the other (`turns.ts`), those of low priority
 * further back; who has left its place early is counted with the others.
 */
const BY_TURNS = `
  SELECT sum(max(0, min(second, ?2) - near.head)
    + max(0, min(third + ${LOW_BEHIND}, ?2) - max(near.head, second + ${LOW_BEHIND})))
  FROM (SELECT second, third FROM line_turns WHERE line = ?1 LIMIT ${MAX_AHEAD})`;

/** A line as it is in one store, seen by a task that stands in it. */
export interface LineView {
  /** Of the store before the task, wherever that is; counted up to `MAX_AHEAD`, else about so many. */
  readonly ahead: number;
  /** Null when the line's owner has not said it of late. */
  readonly perSecond: number | null;
  /** What those who move it have said of late. */
  readonly rates: readonly (LineRate & { readonly at: number })[];
  /** The latest attempt of the task at its head, as it is kept; null where it has none. */
  readonly headAttempt: string | null;
}

/** @param since a pace that is older says nothing of now, Unix ms */
export async function readLinePosition(
  db: D1Database,
  line: string,
  { id, place }: LineHead,
  since: number,
): Promise<LineView> {
  const row = await db
    .prepare(
      `WITH near AS (
         SELECT count(*) AS tasks, min(place) AS head FROM
           (SELECT place FROM tasks WHERE parked_for = ?1 AND (place, id) < (?2, ?3) ORDER BY place, id LIMIT ${MAX_AHEAD}))
       SELECT CASE WHEN tasks < ${MAX_AHEAD} THEN tasks ELSE max(tasks, (${BY_TURNS})) END AS ahead,
         lines.per_second, lines.rates,
         (SELECT history->'$[#-1]' FROM tasks WHERE parked_for = ?1 ORDER BY place, id LIMIT 1) AS head_attempt
       FROM near LEFT JOIN lines ON line = ?1 AND noted_at >= ?4`,
    )
    .bind(line, place, id, since)
    .first<{ ahead: number; per_second: number | null; rates: string | null; head_attempt: string | null }>();
  return {
    ahead: row?.ahead ?? 0,
    perSecond: row?.per_second ?? null,
    rates: ratesSince(row?.rates ?? null, since),
    headAttempt: row?.head_attempt ?? null,
  };
}

/** What those who move a line have said of late, as it is in one store. */
export interface LineRates extends Pick<LineView, 'rates'> {
  readonly line: string;
}

/** @param since as for a position */
export async function readLineRatesOf(db: D1Database, lines: readonly string[], since: number): Promise<LineRates[]> {
  const rows = await runForEach<{ line: string; rates: string | null }>(
    db,
    'SELECT line, rates FROM json_each(?1) CROSS JOIN lines ON line = value WHERE noted_at >= ?2',
    jsonParameters(lines),
    since,
  );
  return rows.map(({ line, rates }) => ({ line, rates: ratesSince(rates, since) }));
}

function ratesSince(json: string | null, since: number): LineView['rates'] {
  return ratesIn(json ?? '{}').filter(({ at }) => at >= since);
}

function ratesIn(json: string): LineView['rates'] {
  const kept = Object.entries<[number, number, (DeferralReason | null)?]>(JSON.parse(json));
  return kept.map(([mover, [perSecond, at, reason]]) => ({ mover, perSecond, at, reason: reason ?? undefined }));
}
