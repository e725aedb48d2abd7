/** The real database behind a gate: every statement is named after what it does, and passes it. */

export type Gate = <Value>(statement: string, take: () => Promise<Value>) => Promise<Value>;

const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^INSERT INTO tasks[^)]*\bnonce\b/, 'claim'],
  [/^INSERT INTO tasks[^)]*\bdue_at\b/, 'accept'],
  [/^INSERT INTO tasks[^)]*\berror\b/, 'expire'],
  [/^INSERT INTO tasks/, 'tombstone'],
  [/^(?:WITH placed[\s\S]*\s)?UPDATE tasks SET\s+status = move/, 'record'],
  [/^UPDATE tasks SET due_at/, 'make-due'],
  [/^UPDATE tasks SET next_at/, 'release'],
  [/^UPDATE tasks SET request = NULL/, 'forget-bodies'],
  [/^UPDATE tasks/, 'recover'],
  [/^DELETE FROM tasks/, 'purge'],
  [/^SELECT max\(id\)/, 'scan'],
  [/^SELECT [\s\S]*due_at <= /, 'due'],
  [/^SELECT id, CASE WHEN request_body/, 'requests'],
  [/^SELECT [\s\S]*FROM tasks/, 'read'],
  [/\bkey_switches\b/, 'key-switches'],
];

const WRITES: ReadonlySet<string> = new Set([
  'claim',
  'accept',
  'expire',
  'tombstone',
  'record',
  'make-due',
  'release',
  'recover',
  'purge',
  'forget-bodies',
]);

export function isWrite(statement: string): boolean {
  return WRITES.has(statement);
}

/** `claim`, `record`, `accept`, …; `other` for what moves no task. */
function nameOf(sql: string): string {
  const text = sql.trim();
  return NAMES.find(([pattern]) => pattern.test(text))?.[1] ?? 'other';
}

class GatedStatement {
  readonly name: string;
  readonly statement: D1PreparedStatement;
  readonly #gate: Gate;

  constructor(name: string, statement: D1PreparedStatement, gate: Gate) {
    this.name = name;
    this.statement = statement;
    this.#gate = gate;
  }

  bind(...values: unknown[]): GatedStatement {
    return new GatedStatement(this.name, this.statement.bind(...values), this.#gate);
  }

  all(): Promise<D1Result> {
    return this.#gate(this.name, () => this.statement.all());
  }

  run(): Promise<D1Result> {
    return this.#gate(this.name, () => this.statement.run());
  }

  first(): Promise<unknown> {
    return this.#gate(this.name, () => this.statement.first());
  }
}

export function gatedDatabase(db: D1Database, gate: Gate): D1Database {
  const gated = {
    prepare: (sql: string) => new GatedStatement(nameOf(sql), db.prepare(sql), gate),
    batch: (statements: readonly GatedStatement[]) =>
      gate(statements.find(({ name }) => name !== 'other')?.name ?? 'other', () =>
        db.batch(statements.map(({ statement }) => statement)),
      ),
  };
  return gated as unknown as D1Database;
}

/** A schedule finds nothing that one before it has left: what the sweeper meets would depend on it. */
export async function emptyDatabase(db: D1Database): Promise<void> {
  const { results: tables } = await db
    .prepare(
      `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB '*migrations' AND name NOT GLOB '_cf_*'`,
    )
    .all<{ name: string }>();
  await db.batch(tables.map(({ name }) => db.prepare(`DELETE FROM ${name}`)));
}
