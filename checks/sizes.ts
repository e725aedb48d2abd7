/** Refuses sources that are longer than `MAX_LINES`. */
import { globSync, readFileSync } from 'node:fs';
import { type SizedFile, sizeProblems } from './size.ts';

const SOURCES = ['*.mts', '*/**/*.{ts,mts,mjs,tsx}'];

function isIgnored(file: string): boolean {
  return /^(?:node_modules|coverage|dist|\.[^/]+)$/.test(file);
}

/** As `wc -l` counts them. */
function sizeOf(file: string): SizedFile {
  return { file, lines: readFileSync(file, 'utf8').split('\n').length - 1 };
}

const files = globSync(SOURCES, { exclude: isIgnored }).map(sizeOf);
const problems = sizeProblems(files);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${files.length} files, none too long`);
