/** Refuses what `pure.ts` finds in the files that call themselves pure. */
import { globSync, readFileSync } from 'node:fs';
import { impuritiesOf, isMarkedPure } from './pure.ts';

const SOURCES =
  '{agent,bench,callback,checks,consumer,dashboard,deploy,local,producer,rehearse,shared,terminal}/**/*.ts';

const marked = globSync(SOURCES)
  .map((file) => ({ file, source: readFileSync(file, 'utf8') }))
  .filter(({ source }) => isMarkedPure(source));
const problems = marked.flatMap(({ file, source }) =>
  impuritiesOf(file, source).map(({ line, what }) => `${file}:${line} is marked pure and ${what}`),
);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${marked.length} files are marked pure, and are`);
