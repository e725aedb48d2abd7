/**
 * Bundles the dashboard into two files below `dashboard/dist`, which the producer carries as text. Quick
 * enough to run before every build of the producer, so what is served is always what stands here.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const DIST = path.join(HERE, 'dist');

export async function buildDashboard(): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: [path.join(HERE, 'main.tsx')],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    target: 'es2022',
    outdir: DIST,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    tsconfigRaw: '{}',
    logLevel: 'error',
  });
  await mkdir(DIST, { recursive: true });
  await Promise.all(
    outputFiles.map(async ({ path: file, text }) => {
      const target = `${file}.txt`;
      if ((await readFile(target, 'utf8').catch(() => undefined)) === text) return;
      // Renamed into place: another build never reads half a file.
      const draft = `${target}.${crypto.randomUUID()}`;
      await writeFile(draft, text);
      await rename(draft, target);
    }),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildDashboard();
