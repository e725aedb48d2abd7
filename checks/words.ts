/**
 * Refuses the names of `word-list.ts` as identifiers and in the names of files, in every source of
 * the repository, and some words in comments and pages. The cases of a union (`kind: 'claimed'`) are names too; other
 * strings are not.
 */
import { globSync, readFileSync } from 'node:fs';
import { parseSync, Visitor } from 'oxc-parser';
import { leftOverKept, problemOfName, problemsOfProse } from './word.ts';
import { KEPT_NAMES, RETIRED_IN_PROSE, RETIRED_NAMES } from './word-list.ts';

const SOURCES = ['*.mts', '*/**/*.{ts,mts,mjs,tsx}'];
const PAGES = ['*.md', '*/**/*.md'];

/** The lists themselves, and what tests them. */
const ABOUT_WORDS = /^checks\/word|^test\/checks\/word/;

interface NamedNode {
  readonly name: string;
  readonly start: number;
}

function isIgnored(file: string): boolean {
  return /^(?:node_modules|coverage|dist|\.[^/]+)$/.test(file);
}

interface Names {
  readonly identifiers: readonly NamedNode[];
  readonly comments: readonly { readonly value: string; readonly start: number }[];
}

function namesOf(file: string, source: string): Names {
  const { program, comments, errors } = parseSync(file, source);
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]?.message}`);
  const found: NamedNode[] = [];
  const take = ({ name, start }: NamedNode) => found.push({ name, start });
  new Visitor({
    Identifier: take,
    PrivateIdentifier: take,
    TSLiteralType: ({ literal, start }) => {
      if (literal.type === 'Literal' && typeof literal.value === 'string') take({ name: literal.value, start });
    },
  }).visit(program);
  return { identifiers: found, comments };
}

const names = new Set<string>();
const problems: string[] = [];

function look(name: string, where: () => string): void {
  names.add(name);
  const problem = problemOfName(name, RETIRED_NAMES, KEPT_NAMES);
  if (problem !== undefined) problems.push(`${where()} ${problem}`);
}

function lookAtProse(file: string, prose: string, firstLine: number): void {
  if (ABOUT_WORDS.test(file)) return;
  for (const { line, problem } of problemsOfProse(prose, RETIRED_IN_PROSE)) {
    problems.push(`${file}:${firstLine + line} ${problem}`);
  }
}

for (const file of globSync(SOURCES, { exclude: isIgnored })) {
  for (const part of file.split('/')) look(part, () => file);
  const source = readFileSync(file, 'utf8');
  const lineAt = (start: number) => source.slice(0, start).split('\n').length;
  const { identifiers, comments } = namesOf(file, source);
  for (const { name, start } of identifiers) look(name, () => `${file}:${lineAt(start)}`);
  for (const { value, start } of comments) lookAtProse(file, value, lineAt(start));
}
for (const file of globSync(PAGES, { exclude: isIgnored })) lookAtProse(file, readFileSync(file, 'utf8'), 1);

problems.push(...leftOverKept(names, KEPT_NAMES));
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${names.size} names, none of them retired`);
