/**
 * Pages lead somewhere: every relative link in a page names a file that is there, so does every path in code marks, and
 * decision records are numbered without a gap, each with its number in its title.
 */
import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const LINK = /\]\((?!https?:|mailto:)([^)#\s]+)(?:#[^)\s]*)?\)/g;

function brokenLinks(page: string): string[] {
  const targets = [...readFileSync(page, 'utf8').matchAll(LINK)].map(([, target = '']) => target);
  return targets
    .filter((target) => !existsSync(path.join(path.dirname(page), target)))
    .map((target) => `${page} leads to ${target}, which does not exist`);
}

/** `shared/task/state.ts`: a whole code span that begins with a room; a pattern or a placeholder is no path. */
const PATH = /`([a-z]+)(\/[\w./-]+)`/g;
const PLACEHOLDER = /\b[A-Z]{3,}\b/;
/** They say what was, with the names of its time. */
const HISTORY = /^docs\/(?:decisions|benchmarks)\/|^docs\/trials\.md$|^CHANGELOG\.md$/;

const rooms = new Set(
  readdirSync('.', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name),
);

function missingPaths(page: string): string[] {
  if (HISTORY.test(page)) return [];
  return [...readFileSync(page, 'utf8').matchAll(PATH)]
    .filter(([, room = '', rest = '']) => rooms.has(room) && !PLACEHOLDER.test(rest) && !existsSync(`${room}${rest}`))
    .map(([, room, rest]) => `${page} names ${room}${rest}, which does not exist`);
}

function decisionFaults(): string[] {
  const files = globSync('docs/decisions/*.md').sort();
  return files.flatMap((file, index) => {
    const number = String(index + 1).padStart(4, '0');
    const isNumbered = path.basename(file).startsWith(`${number}-`);
    if (!isNumbered) return [`${file} is the record number ${number}: records have neither gaps nor doubles`];
    const isTitled = readFileSync(file, 'utf8').startsWith(`# ${number}: `);
    return isTitled ? [] : [`${file} begins with its number and title: # ${number}: …`];
  });
}

const pages = globSync(['*.md', '.github/**/*.md', '{docs,examples}/**/*.md']);
const problems = [...pages.flatMap(brokenLinks), ...pages.flatMap(missingPaths), ...decisionFaults()];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${pages.length} pages, every link and path leads somewhere`);
