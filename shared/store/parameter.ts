/**
 * Rows travel to a statement as one JSON parameter, unpacked by `json_each`. D1 refuses parameters
 * above 2 MB; a statement is split at 1 MB (1,000,000 characters), so that the rest of the row and
 * multi-byte characters fit too.
 */
const MAX_PARAMETER_CHARS = 1_000_000;

/** JSON arrays of `rows`, in order, each small enough for one parameter. Empty input gives none. */
export function jsonParameters(rows: readonly unknown[]): string[] {
  const parameters: string[] = [];
  let items: string[] = [];
  let chars = 0;
  for (const row of rows) {
    const item = JSON.stringify(row);
    if (items.length > 0 && chars + item.length > MAX_PARAMETER_CHARS) {
      parameters.push(`[${items.join(',')}]`);
      items = [];
      chars = 0;
    }
    items.push(item);
    chars += item.length + 1;
  }
  if (items.length > 0) parameters.push(`[${items.join(',')}]`);
  return parameters;
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
