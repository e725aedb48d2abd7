/**
 * The local database as the file it is, for looks and repairs beside a runtime that runs. Miniflare's own
 * bindings (`getD1Database`) stop this process until the runtime has answered, and a runtime that waits
 * for its log to be read never answers. The file is in WAL mode: a reader holds up no writer.
 */
import { globSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { FORGET_LEASES, HAS_SNAPSHOT } from '../shared/store/recovery.ts';

/** The runtime may be recovering the file's log just now. */
const BUSY_TIMEOUT_MS = 5_000;

/**
 * @param dir below which the runtime keeps its one D1 database
 * @throws Error when there is none, or more than one
 */
export function openDatabaseFile(dir: string, { readOnly = true } = {}): DatabaseSync {
  const files = databaseFiles(dir);
  const [file] = files;
  if (file === undefined || files.length > 1) throw new Error(`${files.length} databases below ${dir}, not one`);
  return new DatabaseSync(file, { readOnly, timeout: BUSY_TIMEOUT_MS });
}

/** The databases of all stores, in no order. */
export function openDatabaseFiles(dir: string, { readOnly = true } = {}): DatabaseSync[] {
  return databaseFiles(dir).map((file) => new DatabaseSync(file, { readOnly, timeout: BUSY_TIMEOUT_MS }));
}

/** How many databases earlier runs have left. */
export function countDatabaseFiles(dir: string): number {
  return databaseFiles(dir).length;
}

/** The registry and the flows give places anew: calls of an earlier runtime ended with it (rule R8). */
export function forgetLeases(dir: string): void {
  for (const file of objectFiles(dir, '*-ServerRegistry')) {
    using object = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    if (object.prepare(HAS_SNAPSHOT).get() !== undefined) object.exec(FORGET_LEASES);
  }
}

function databaseFiles(dir: string): string[] {
  return objectFiles(dir, '*D1DatabaseObject');
}

/** @param folder of their class */
function objectFiles(dir: string, folder: string): string[] {
  return globSync(path.join(dir, '**', folder, '*.sqlite')).filter((file) => !file.endsWith('metadata.sqlite'));
}
