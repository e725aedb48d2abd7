/**
 * Refuses the names of `word-list.ts` as identifiers and in the names of files, in every source of
 * the repository. The cases of a union (`kind: 'claimed'`) are names too; other strings are not.
 */
import { globSync, readFileSync } from 'node:fs';
import { parseSync, Visitor } from 'oxc-parser';
import { leftOverKept, problemOfName } from './word.ts';
import { KEPT_NAMES, RETIRED_NAMES } from './word-list.ts';

const SOURCES = ['*.mts', '*/**/*.{ts,mts,mjs,tsx}'];

interface NamedNode {
  readonly name: string;
  readonly start: number;
}

function isIgnored(file: string): boolean {
  return /^(?:node_modules|coverage|dist|\.[^/]+)$/.test(file);
}

function identifiersOf(file: string, source: string): NamedNode[] {
  const { program, errors } = parseSync(file, source);
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
  return found;
}

const names = new Set<string>();
const problems: string[] = [];

function look(name: string, where: () => string): void {
  names.add(name);
  const problem = problemOfName(name, RETIRED_NAMES, KEPT_NAMES);
  if (problem !== undefined) problems.push(`${where()} ${problem}`);
}

for (const file of globSync(SOURCES, { exclude: isIgnored })) {
  for (const part of file.split('/')) look(part, () => file);
  const source = readFileSync(file, 'utf8');
  for (const { name, start } of identifiersOf(file, source)) {
    look(name, () => `${file}:${source.slice(0, start).split('\n').length}`);
  }
}

problems.push(...leftOverKept(names, KEPT_NAMES));
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${names.size} names, none of them retired`);
