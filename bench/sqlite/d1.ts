/** SQLite of Node in the place of D1: what the statements of `shared/store/` use of it. */
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';

const MIGRATIONS = path.resolve(import.meta.dirname, '../../migrations');

export function migrate(database: DatabaseSync): void {
  for (const file of globSync(`${MIGRATIONS}/[0-9]*.sql`).sort()) database.exec(readFileSync(file, 'utf8'));
}

export function asD1(database: DatabaseSync): D1Database {
  const prepared = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  const statementOf = (sql: string) => {
    const known = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, known);
    return known;
  };
  const statement = (sql: string, bound: SQLInputValue[] = []) => {
    // Placeholders carry numbers; those that the statement does not use are left out.
    const used = Math.max(0, ...[...sql.matchAll(/\?(\d+)/g)].map(([, number]) => Number(number)));
    const all = () => {
      const results = statementOf(sql).all(...bound.slice(0, used));
      const changes = Number(statementOf('SELECT changes() AS changes').get()?.changes);
      return { results, meta: { changes } };
    };
    return {
      bind: (...next: SQLInputValue[]) => statement(sql, next),
      all: async () => all(),
      first: async () => all().results[0] ?? null,
      run: async () => all(),
      now: all,
    };
  };
  return {
    prepare: (sql: string) => statement(sql),
    batch: async (statements: { now: () => unknown }[]) => {
      database.exec('SAVEPOINT batch');
      try {
        const answers = statements.map((each) => each.now());
        database.exec('RELEASE batch');
        return answers;
      } catch (error) {
        database.exec('ROLLBACK TO batch; RELEASE batch');
        throw error;
      }
    },
  } as unknown as D1Database;
}
