#!/usr/bin/env node
// `npx tasklane-agent`, for any Node from 20 on. A Node that reads TypeScript runs the sources; for an
// older one esbuild, which `npm ci` brings, makes them one file in memory. `npm run build:agent` makes
// that file for machines that have nothing but Node.
const main = new URL('main.ts', import.meta.url);

if (process.features.typescript) {
  await import(main.href);
} else {
  const { build } = await import('esbuild');
  const { fileURLToPath } = await import('node:url');
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(main)],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    write: false,
  });
  await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].text).toString('base64')}`);
}
