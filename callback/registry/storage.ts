/**
 * The SQL of the registry's Durable Object: one table of texts, each written only when it changed. A
 * text that is larger than a row may be lies in several.
 */

import type { SnapshotName } from './host.ts';

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
    const parts = partsOf(text);
    for (const [part, value] of parts.entries()) this.#writeRow(rowId(name, part), value);
    for (let part = parts.length; this.#written.has(rowId(name, part)); part++) this.#deleteRow(rowId(name, part));
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

/** Not through the middle of a character: half of one would not come back. */
function partsOf(text: string): string[] {
  const parts: string[] = [];
  let from = 0;
  do {
    const end = from + MAX_ROW_CHARACTERS;
    const isHalf = /[\ud800-\udbff]/.test(text.charAt(end - 1));
    parts.push(text.slice(from, isHalf ? end - 1 : end));
    from = isHalf ? end - 1 : end;
  } while (from < text.length);
  return parts;
}

function rowId(name: SnapshotName, part: number): string {
  return part === 0 ? name : `${name} ${part}`;
}
