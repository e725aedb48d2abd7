/**
 * The SQL of the registry's Durable Object: one table of texts, each written only when it changed. A
 * text that is larger than a row may be lies in several.
 */

import type { SnapshotName } from './keeper.ts';

/** A row takes 2 MB; a character is up to three bytes. */
const MAX_ROW_CHARACTERS = 500_000;

export class RegistryStorage {
  readonly #sql: SqlStorage;
  /** What the table holds. */
  readonly #written = new Map<string, string>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    sql.exec('CREATE TABLE IF NOT EXISTS snapshot (id TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID');
    for (const { id, value } of sql.exec<{ id: string; value: string }>('SELECT id, value FROM snapshot')) {
      this.#written.set(id, value);
    }
  }

  read(name: SnapshotName): string | undefined {
    let text = '';
    for (let part = 0; ; part++) {
      const value = this.#written.get(rowId(name, part));
      if (value === undefined) return part === 0 ? undefined : text;
      text += value;
    }
  }

  write(name: SnapshotName, text: string): void {
    const parts = Math.max(1, Math.ceil(text.length / MAX_ROW_CHARACTERS));
    for (let part = 0; part < parts; part++) {
      this.#writeRow(rowId(name, part), text.slice(part * MAX_ROW_CHARACTERS, (part + 1) * MAX_ROW_CHARACTERS));
    }
    for (let part = parts; this.#written.has(rowId(name, part)); part++) this.#deleteRow(rowId(name, part));
  }

  #writeRow(id: string, value: string): void {
    if (this.#written.get(id) === value) return;
    this.#sql.exec(
      'INSERT INTO snapshot (id, value) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET value = excluded.value',
      id,
      value,
    );
    this.#written.set(id, value);
  }

  #deleteRow(id: string): void {
    this.#sql.exec('DELETE FROM snapshot WHERE id = ?1', id);
    this.#written.delete(id);
  }
}

function rowId(name: SnapshotName, part: number): string {
  return part === 0 ? name : `${name} ${part}`;
}
