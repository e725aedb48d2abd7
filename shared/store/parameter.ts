/**
 * Rows travel to a statement as one JSON parameter, unpacked by `json_each`. D1 refuses parameters
 * above 2 MB; a statement is split at 1 MB of UTF-8. One row alone is always below: a body of 64 KB,
 * which escapes make seven times as long at most.
 */
const MAX_PARAMETER_BYTES = 1_000_000;

/**
 * The rows in a statement's first parameter, each as `value`. Taken apart once: a bare `json_each`
 * writes a row out as text, to be parsed again, for every field that is read from it. In the claim and
 * the settle of a task that cost 11 µs. (The limit keeps SQLite from undoing it.)
 */
export const ROWS = '(SELECT jsonb(value) AS value FROM json_each(?1) LIMIT -1)';

/** A UTF-16 unit is three bytes of UTF-8 at most: what fits by that needs no counting. */
const BYTES_PER_UNIT = 3;

const encoder = new TextEncoder();

/** JSON arrays of `rows`, in order, each small enough for one parameter. Empty input gives none. */
export function jsonParameters(rows: readonly unknown[]): string[] {
  if (rows.length === 0) return [];
  const whole = JSON.stringify(rows);
  if (whole.length * BYTES_PER_UNIT <= MAX_PARAMETER_BYTES) return [whole];
  const parameters: string[] = [];
  let items: string[] = [];
  let bytes = 0;
  for (const row of rows) {
    const item = JSON.stringify(row);
    const itemBytes = encoder.encode(item).length + 1;
    if (items.length > 0 && bytes + itemBytes > MAX_PARAMETER_BYTES) {
      parameters.push(`[${items.join(',')}]`);
      items = [];
      bytes = 0;
    }
    items.push(item);
    bytes += itemBytes;
  }
  if (items.length > 0) parameters.push(`[${items.join(',')}]`);
  return parameters;
}

/** What the database says of a value that it does not take; anything else is about the database itself. */
const REFUSED_VALUE =
  /SQLITE_(?:CONSTRAINT|MISMATCH|TOOBIG|ERROR: (?:malformed|JSON))|malformed JSON|string or blob too big/;

/**
 * One statement for all elements. When the database refuses a value it cannot say whose: then halves are
 * tried, so that the one element is left out and every other is written (rule R21).
 * @param write must be safe to repeat for a part
 * @param onRefused told of each element that cannot be written
 */
export async function eachAlone<Element, Answer>(
  elements: readonly Element[],
  write: (part: readonly Element[]) => Promise<readonly Answer[]>,
  onRefused: (element: Element, error: unknown) => void,
): Promise<Answer[]> {
  try {
    return [...(await write(elements))];
  } catch (error) {
    const [only] = elements;
    if (only === undefined || !REFUSED_VALUE.test(String(error))) throw error;
    if (elements.length === 1) {
      onRefused(only, error);
      return [];
    }
    const half = Math.ceil(elements.length / 2);
    const first = await eachAlone(elements.slice(0, half), write, onRefused);
    return [...first, ...(await eachAlone(elements.slice(half), write, onRefused))];
  }
}

/** Runs `sql` once per parameter, in one round trip and one transaction, and returns all rows. */
export async function runForEach<Row>(
  db: D1Database,
  sql: string,
  parameters: readonly string[],
  ...rest: readonly unknown[]
): Promise<Row[]> {
  const [only] = parameters;
  if (only === undefined) return [];
  if (parameters.length === 1) {
    const { results } = await db
      .prepare(sql)
      .bind(only, ...rest)
      .all<Row>();
    return results;
  }
  const statement = db.prepare(sql);
  const answers = await db.batch<Row>(parameters.map((parameter) => statement.bind(parameter, ...rest)));
  return answers.flatMap((answer) => answer.results);
}
