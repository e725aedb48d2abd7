/** The real database, and how many rows the statements that go through it read and wrote. */
import { env } from 'cloudflare:workers';

export interface CountedDatabase {
  readonly db: D1Database;
  rowsWritten: number;
  rowsRead: number;
}

export function countedDatabase(): CountedDatabase {
  const counted: { db: D1Database; rowsWritten: number; rowsRead: number } = {
    db: env.DB,
    rowsWritten: 0,
    rowsRead: 0,
  };
  const note = <Result extends D1Result>(result: Result): Result => {
    counted.rowsWritten += result.meta.rows_written;
    counted.rowsRead += result.meta.rows_read;
    return result;
  };
  const real = new WeakMap<object, D1PreparedStatement>();
  const wrap = (statement: D1PreparedStatement): object => {
    const wrapped = {
      bind: (...values: unknown[]) => wrap(statement.bind(...values)),
      all: async () => note(await statement.all()),
      run: async () => note(await statement.run()),
      first: async () => note(await statement.all()).results[0] ?? null,
    };
    real.set(wrapped, statement);
    return wrapped;
  };
  counted.db = {
    prepare: (sql: string) => wrap(env.DB.prepare(sql)),
    batch: async (statements: readonly object[]) => {
      const results = await env.DB.batch(statements.map((statement) => real.get(statement) as D1PreparedStatement));
      return results.map(note);
    },
  } as unknown as D1Database;
  return counted;
}
