/**
 * What a run writes holds payloads, results and tokens: it is readable by its owner alone. The process
 * and its children (the runtime writes the database) create files for nobody else from here on, and the
 * folders of earlier runs are closed. The folder that holds them all may be shared: it is left as it is.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';

const NOBODY_ELSE = 0o077;

/** @param folders below `dir`, written by runs alone */
export function keepFilesPrivate(dir: string, folders: readonly string[]): void {
  process.umask(NOBODY_ELSE);
  mkdirSync(dir, { recursive: true });
  for (const folder of folders.map((name) => path.join(dir, name))) {
    if (!existsSync(folder)) continue;
    chmodSync(folder, 0o700);
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      chmodSync(path.join(entry.parentPath, entry.name), entry.isDirectory() ? 0o700 : 0o600);
    }
  }
}
