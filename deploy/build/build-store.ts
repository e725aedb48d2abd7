/**
 * What earlier builds made, kept below `.wrangler` by a hash of everything that goes into one: the
 * sources, the lock file, and what the build was told. So the same is not built a second time, and a
 * changed file always builds anew. Several processes may use a store at once.
 */
import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from '../plan/plan-files.ts';

/** More than the Workers of one plan, the metered ones included. */
const MAX_KEPT = 12;

/** Whatever a bundler may read; tests and tools are not among it. */
const SOURCES = ['shared', 'producer', 'consumer', 'callback', 'bench/workers'].map((room) => `${room}/**/*.ts`);
const PAGES = ['dashboard/**/*.{ts,tsx,css}'];
const OTHERS = ['package.json', 'package-lock.json', 'tsconfig.base.json', 'tsconfig.json', 'tsconfig.workers.json'];

export interface BuildStore {
  read(): Promise<Buffer<ArrayBuffer> | undefined>;
  write(build: string | Buffer): Promise<void>;
}

/**
 * @param kind a folder below `.wrangler`
 * @param settings whatever else the build depends on
 */
export async function buildStore(kind: 'bundles' | 'uploads', settings: unknown): Promise<BuildStore> {
  const folder = path.join(ROOT, '.wrangler', kind);
  const file = path.join(folder, await hashOf(JSON.stringify(settings)));
  return {
    async read() {
      try {
        return await readFile(file);
      } catch {
        return undefined;
      }
    },
    async write(build) {
      await mkdir(folder, { recursive: true });
      // Renamed into place: another run never reads half a file.
      const draft = `${file}.${process.pid}`;
      await writeFile(draft, build);
      await rename(draft, file);
      await forgetOldest(folder);
    },
  };
}

async function hashOf(settings: string): Promise<string> {
  const hash = createHash('sha256').update(settings);
  for (const file of [...globSync([...SOURCES, ...PAGES], { cwd: ROOT }).sort(), ...OTHERS]) {
    hash.update(`\0${file}\0`).update(await readFile(path.join(ROOT, file)));
  }
  return hash.digest('hex').slice(0, 32);
}

async function forgetOldest(folder: string): Promise<void> {
  const aged = await Promise.all(
    (await readdir(folder)).map(async (name) => {
      const file = path.join(folder, name);
      // Another process may have taken it away meanwhile.
      return {
        file,
        at: await stat(file).then(
          ({ mtimeMs }) => mtimeMs,
          () => 0,
        ),
      };
    }),
  );
  const old = aged.sort((a, b) => b.at - a.at).slice(MAX_KEPT);
  await Promise.all(old.map(({ file }) => rm(file, { force: true })));
}
