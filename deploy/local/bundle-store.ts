/**
 * Bundles of earlier builds, kept in `.wrangler/bundles` by a hash of everything that goes into one:
 * the sources, the lock file, and the Worker's entry and settings. So a second start builds nothing,
 * and a changed file always does.
 */
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync } from 'node:fs';
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from '../plan-files.ts';
import type { WorkerConfig } from '../wrangler-file.ts';
import type { BundleModule } from './bundle.ts';

const STORE_DIR = path.join(ROOT, '.wrangler', 'bundles');

/** More than the Workers of one plan, the metered ones included. */
const MAX_KEPT = 12;

/** Whatever a bundler may read; tests and tools are not among it. */
const SOURCES = ['shared', 'producer', 'consumer', 'callback', 'bench/workers'].map((room) => `${room}/**/*.ts`);
const OTHERS = ['package.json', 'package-lock.json', 'tsconfig.base.json', 'tsconfig.json', 'tsconfig.workers.json'];

export interface BundleStore {
  read(): Promise<readonly BundleModule[] | undefined>;
  write(bundle: readonly BundleModule[]): Promise<void>;
}

export function bundleStore({ main, rules, compatibility_date, compatibility_flags }: WorkerConfig): BundleStore {
  const settings = JSON.stringify([main, rules, compatibility_date, compatibility_flags]);
  const file = path.join(STORE_DIR, `${hashOf(settings)}.json`);
  return {
    async read() {
      try {
        return JSON.parse(await readFile(file, 'utf8')) as BundleModule[];
      } catch {
        return undefined;
      }
    },
    async write(bundle) {
      mkdirSync(STORE_DIR, { recursive: true });
      // Renamed into place: another run never reads half a file.
      const draft = `${file}.${process.pid}`;
      await writeFile(draft, JSON.stringify(bundle));
      await rename(draft, file);
      await forgetOldest();
    },
  };
}

function hashOf(settings: string): string {
  const hash = createHash('sha256').update(settings);
  for (const file of [...globSync(SOURCES, { cwd: ROOT }).sort(), ...OTHERS]) {
    hash.update(`\0${file}\0`).update(readFileSync(path.join(ROOT, file)));
  }
  return hash.digest('hex').slice(0, 32);
}

async function forgetOldest(): Promise<void> {
  const names = (await readdir(STORE_DIR)).filter((name) => name.endsWith('.json'));
  const aged = await Promise.all(
    names.map(async (name) => {
      const file = path.join(STORE_DIR, name);
      return { file, at: (await stat(file)).mtimeMs };
    }),
  );
  const old = aged.sort((a, b) => b.at - a.at).slice(MAX_KEPT);
  await Promise.all(old.map(({ file }) => rm(file, { force: true })));
}
