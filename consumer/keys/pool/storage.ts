/** The SQL of the key pool's Durable Object: one small table, written only where something changed. */
import type { SnapshotRow } from './snapshot.ts';

export class KeyPoolStorage {
  readonly #sql: SqlStorage;
  /** What the table holds. */
  readonly #written = new Map<string, string>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec('CREATE TABLE IF NOT EXISTS snapshot (id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID');
  }

  read(): SnapshotRow[] {
    const rows = this.#sql.exec<{ id: string; value: string }>('SELECT id, value FROM snapshot').toArray();
    for (const { id, value } of rows) this.#written.set(id, value);
    return rows;
  }

  writeOne({ id, value }: SnapshotRow): void {
    if (this.#written.get(id) === value) return;
    this.#sql.exec(
      'INSERT INTO snapshot (id, value) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET value = excluded.value',
      id,
      value,
    );
    this.#written.set(id, value);
  }

  /** Makes the table hold `rows` and none beside them but `others`. */
  write(rows: readonly SnapshotRow[], ...others: readonly string[]): void {
    const kept = new Set<string>(others);
    for (const row of rows) {
      kept.add(row.id);
      this.writeOne(row);
    }
    for (const id of this.#written.keys()) {
      if (kept.has(id)) continue;
      this.#sql.exec('DELETE FROM snapshot WHERE id = ?1', id);
      this.#written.delete(id);
    }
  }
}
