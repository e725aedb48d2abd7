/**
 * Pages lead somewhere: every relative link in a page names a file that is there, and decision records are numbered
 * without a gap, each with its number in its title.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';

const LINK = /\]\((?!https?:|mailto:)([^)#\s]+)(?:#[^)\s]*)?\)/g;

function brokenLinks(page: string): string[] {
  const targets = [...readFileSync(page, 'utf8').matchAll(LINK)].map(([, target = '']) => target);
  return targets
    .filter((target) => !existsSync(path.join(path.dirname(page), target)))
    .map((target) => `${page} leads to ${target}, which does not exist`);
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
const problems = [...pages.flatMap(brokenLinks), ...decisionFaults()];
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${pages.length} pages, every link leads somewhere`);
