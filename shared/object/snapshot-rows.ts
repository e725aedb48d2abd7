/** What a Durable Object keeps over its evictions: texts by id in one small table, each written only where it changed. */

export interface SnapshotRow {
  readonly id: string;
  readonly value: string;
}

export class SnapshotRows {
  readonly #sql: SqlStorage;
  /** What the table holds. */
  readonly #written = new Map<string, string>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec('CREATE TABLE IF NOT EXISTS snapshot (id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID');
    const rows = sql.exec<{ id: string; value: string }>('SELECT id, value FROM snapshot');
    for (const { id, value } of rows) this.#written.set(id, value);
  }

  read(): SnapshotRow[] {
    return Array.from(this.#written, ([id, value]) => ({ id, value }));
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
      if (!kept.has(id)) this.delete(id);
    }
  }

  delete(id: string): void {
    if (this.#written.delete(id)) this.#sql.exec('DELETE FROM snapshot WHERE id = ?1', id);
  }
}
