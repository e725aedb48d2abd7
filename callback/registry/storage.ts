/** The registry's snapshots and leases as rows of its object: a snapshot that is larger than a row may be lies in several. */

import { SnapshotRows } from '../../shared/object/snapshot-rows.ts';
import { LeaseRows } from '../capacity/lease-rows.ts';
import type { SnapshotName } from './host.ts';

/** A row takes 2 MB; a character is up to three bytes. */
const MAX_ROW_CHARACTERS = 500_000;

export class RegistryStorage {
  readonly #rows: SnapshotRows;
  readonly leases: LeaseRows;

  constructor(sql: SqlStorage) {
    this.#rows = new SnapshotRows(sql);
    this.leases = new LeaseRows(this.#rows);
  }

  read(name: SnapshotName): string | undefined {
    const parts = this.#rows.read().flatMap(({ id, value }) => {
      const part = partOf(name, id);
      return part === undefined ? [] : [{ part, value }];
    });
    parts.sort((a, b) => a.part - b.part);
    return parts.length === 0 ? undefined : parts.map(({ value }) => value).join('');
  }

  write(name: SnapshotName, text: string): void {
    const rows = partsOf(text).map((value, part) => ({ id: part === 0 ? name : `${name} ${part}`, value }));
    const others = this.#rows.read().flatMap(({ id }) => (partOf(name, id) === undefined ? [id] : []));
    this.#rows.write(rows, ...others);
  }
}

/** @returns undefined for a row of the other snapshot */
function partOf(name: SnapshotName, id: string): number | undefined {
  if (id === name) return 0;
  return id.startsWith(`${name} `) ? Number(id.slice(name.length + 1)) : undefined;
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
