/**
 * Whose turn it is in a line: start-time fair queueing between submitters, written down as a place when a task is
 * parked, so that a release is one walk of an index. A submitter's tasks stand one place behind the other, whatever
 * the others have; who comes new begins a little before the head. So many tasks of one submitter delay those of
 * another by what was released already, and in the long run each gets the same share.
 *
 * By priority: a task of the first stands before its submitter's other tasks and moves them back, not those of others; one
 * of the third stands behind everybody, but for at most `LOW_BEHIND` places, so that its turn comes. Within a submitter and
 * a priority the first that came is the first that is served. A task that was released and is parked again in the same
 * line goes to its head, or a little behind it where its call was refused.
 *
 * Places are milliseconds when nobody stands in the line, and count tasks while somebody does: a line that drains more
 * slowly than a thousand tasks a second forgets everything when it is empty.
 */

/** So many tasks of a submitter who has used less than its share go before the head of the line. */
export const AHEAD = 10;

/** A task of low priority lets so many tasks of each submitter go first. */
export const LOW_BEHIND = 1_000;

export interface Park {
  readonly id: string;
  readonly run: number;
  readonly line: string;
  /** It stood in this line, was released, and found no room. */
  readonly isAgain?: true;
  /** Its call was refused: so many as go before the head when they are new go before it. */
  readonly isBehind?: true;
}

/** In the SQL: ?2 parks, ?3 now. The lowest place in a line; now, where nobody stands in it. */
const headOf = (line: string) => `coalesce((SELECT min(place) FROM tasks WHERE parked_for = ${line}), ?3)`;

/** Who is to be parked, as it stands: what has moved meanwhile gets no place. */
const PARKS = `
  SELECT tasks.id, park.value->>'line' AS line, tasks.subject, tasks.place,
    coalesce(tasks.request->>'$.priority', 2) AS priority,
    (park.value->>'isAgain') IS NOT NULL AND tasks.place IS NOT NULL AS is_again,
    (park.value->>'isBehind') IS NOT NULL AS is_behind
  FROM json_each(?2) AS park CROSS JOIN tasks ON tasks.id = park.value->>'id'
  WHERE tasks.status = 'running' AND tasks.run = park.value->>'run'`;

/** The clock of a submitter moves on by its tasks, that of a priority by those of higher ones, too. */
const TAKE = `
  INSERT INTO line_turns (line, subject, since, first, second, third)
  SELECT line, subject, base, base + high, base + high + normal, base + high + normal + low FROM (
    SELECT line, subject, ${headOf('line')} - ${AHEAD} AS base,
      count(*) FILTER (WHERE priority = 1) AS high, count(*) FILTER (WHERE priority = 2) AS normal,
      count(*) FILTER (WHERE priority = 3) AS low
    FROM (${PARKS}) WHERE NOT is_again GROUP BY line, subject)
  WHERE true
  ON CONFLICT (line, subject) DO UPDATE SET
    since = excluded.since,
    first = max(first, excluded.since) + excluded.first - excluded.since,
    second = max(second, excluded.since) + excluded.second - excluded.since,
    third = max(third, excluded.since) + excluded.third - excluded.since`;

/** The places that were taken, as one JSON object by task: `places` in the one row of `placed`. */
export const PLACED = `
  WITH placed AS MATERIALIZED (
    SELECT json_group_object(id, at) AS places FROM (
      SELECT park.id, CASE WHEN is_again AND is_behind THEN max(park.place, ${headOf('park.line')} + ${AHEAD})
        WHEN is_again THEN min(park.place, ${headOf('park.line')}) ELSE
        CASE priority WHEN 1 THEN turn.first WHEN 3 THEN turn.third + ${LOW_BEHIND} ELSE turn.second END
        - count(*) OVER own + row_number() OVER (own ORDER BY park.id) - 1 END AS at
      FROM (${PARKS}) AS park CROSS JOIN line_turns AS turn ON turn.line = park.line AND turn.subject = park.subject
      WINDOW own AS (PARTITION BY park.line, park.subject, priority, is_again)))`;

/** Of tasks that leave their line without having been released: their submitter gets their turns back. */
const LEAVE = `
  UPDATE line_turns SET first = first - high, second = second - high - normal, third = third - high - normal - low
  FROM (
    SELECT tasks.parked_for AS line, tasks.subject,
      count(*) FILTER (WHERE tasks.request->>'$.priority' = 1) AS high,
      count(*) FILTER (WHERE coalesce(tasks.request->>'$.priority', 2) = 2) AS normal,
      count(*) FILTER (WHERE tasks.request->>'$.priority' = 3) AS low
    FROM json_each(?1) AS leaving CROSS JOIN tasks ON tasks.id = leaving.value
    WHERE tasks.status = 'deferred' AND tasks.parked_for IS NOT NULL AND tasks.released_at IS NULL
    GROUP BY tasks.parked_for, tasks.subject) AS gone
  WHERE line_turns.line = gone.line AND line_turns.subject = gone.subject`;

/** Comes before the statement that parks the tasks with `PLACED`, in its transaction. @param now of the parks, Unix ms */
export function takeTurns(db: D1Database, parks: readonly Park[], now: number): D1PreparedStatement {
  return db.prepare(TAKE).bind(null, JSON.stringify(parks), now);
}

/** Comes before the statement that ends the tasks, in its transaction. */
export function leaveTurns(db: D1Database, ids: readonly string[]): D1PreparedStatement {
  return db.prepare(LEAVE).bind(JSON.stringify(ids));
}

/**
 * One step of the clean-up: of the next `rows` clocks those go that say nothing, because who comes new stands no further ahead.
 * @param position where the last step ended, `''` at the start
 * @returns where the next step starts (`''` after the end of the table)
 */
export async function forgetTurns(db: D1Database, position: string, rows: number, now: number): Promise<string> {
  const after =
    position === '' ? { line: '', subject: '' } : (JSON.parse(position) as { line: string; subject: string });
  const { results } = await db
    .prepare(`SELECT line, subject FROM line_turns WHERE (line, subject) > (?1, ?2) ORDER BY line, subject LIMIT ?3`)
    .bind(after.line, after.subject, rows)
    .all<{ line: string; subject: string }>();
  if (results.length > 0) {
    await db
      .prepare(
        `DELETE FROM line_turns WHERE (line, subject) IN (SELECT value->>'line', value->>'subject' FROM json_each(?2))
           AND max(second, third) <= ${headOf('line')} - ${AHEAD} AND ?1 IS NULL`,
      )
      .bind(null, JSON.stringify(results), now)
      .run();
  }
  const last = results.at(-1);
  return results.length < rows || last === undefined ? '' : JSON.stringify(last);
}
