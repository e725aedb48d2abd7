/**
 * `docs/protocol.md` is the page that code and tests cite: every rule that they cite stands there, every test
 * that it names exists, and every row of tests with mutations is named.
 */
import { globSync, readFileSync } from 'node:fs';
import { MUTATED_ROWS } from '../test/protocol/mutations/list.ts';

const PAGE = 'docs/protocol.md';
const CITING = [
  '{shared,producer,consumer,callback,agent,deploy,local}/**/*.ts',
  'test/**/*.ts',
  'migrations/*.sql',
  'docs/*.md',
];

/** A paragraph on one line: names of tests may be wrapped. */
const page = readFileSync(PAGE, 'utf8').replaceAll(/\n +/g, ' ');
const rules = new Set([...page.matchAll(/^- \*\*(R\d+) /gm)].map(([, rule]) => rule));
const problems: string[] = [];

for (const file of CITING.flatMap((pattern) => globSync(pattern))) {
  for (const [, list = ''] of readFileSync(file, 'utf8').matchAll(/\brules? ((?:R\d+)(?:(?:, | and )R\d+)*)/g)) {
    for (const rule of list.split(/, | and /)) {
      if (!rules.has(rule)) problems.push(`${file} cites the rule ${rule}, which ${PAGE} does not have`);
    }
  }
}

/** A link to tests gives the beginning of their names as its title. */
const links = [...page.matchAll(/\]\(\.\.\/(test\/[^\s)]+) "([^"]+)"\)/g)].map(([, file = '', name = '']) => ({
  file,
  name,
}));
for (const { file, name } of links) {
  const text = readFileSync(file, 'utf8').replaceAll("\\'", "'");
  if (!text.includes(name)) problems.push(`${PAGE}: ${file} has no test "${name}"`);
}
for (const { name } of MUTATED_ROWS) {
  if (!links.some((link) => link.name === name)) problems.push(`${PAGE} does not name the tests "${name}"`);
}

console.log(`${rules.size} rules, ${links.length} links to tests`);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
