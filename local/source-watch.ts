/**
 * Tells of each change below folders of sources. Each folder is watched by itself: on Linux Node watches the files of a
 * tree one by one (`recursive`), and hears nothing more of a file once an editor or git has put a new one in its place.
 *
 * Guarantee: a folder that appears later is watched too.
 */
import { existsSync, type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import path from 'node:path';

/** What builds and checks write. */
const WRITTEN_FOLDERS: ReadonlySet<string> = new Set(['dashboard/dist', 'migrations/schema']);

/** What editors write beside a file that they save. */
const BESIDE_SOURCES = /~$|\.sw[a-z]$|^\./;

/**
 * @param folders relative to `root`, as is what is told, with forward slashes
 * @returns what ends it
 */
export function watchFolders(root: string, folders: readonly string[], tell: (file: string) => void): () => void {
  const watchers = new Map<string, FSWatcher>();
  const leave = (folder: string) => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };
  const enter = (folder: string) => {
    if (watchers.has(folder) || WRITTEN_FOLDERS.has(folder)) return;
    const watcher = watch(path.join(root, folder), (_, name) => {
      if (!existsSync(path.join(root, folder))) return leave(folder);
      if (name === null) return tell(folder);
      const changed = path.posix.join(folder, name);
      if (BESIDE_SOURCES.test(name) || WRITTEN_FOLDERS.has(changed)) return;
      if (isFolder(path.join(root, changed))) enter(changed);
      tell(changed);
    });
    watcher.on('error', () => leave(folder));
    watchers.set(folder, watcher);
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      if (entry.isDirectory() && !BESIDE_SOURCES.test(entry.name)) enter(path.posix.join(folder, entry.name));
    }
  };
  for (const folder of folders) enter(folder);
  return () => {
    for (const folder of watchers.keys()) leave(folder);
  };
}

function isFolder(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
