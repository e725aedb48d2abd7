/** Refuses what `test-case.ts` finds in the tests. */
import { globSync, readFileSync } from 'node:fs';
import { faultsOf } from './test-case.ts';

const files = globSync('test/**/*.test.ts');
const problems = files.flatMap((file) =>
  faultsOf(file, readFileSync(file, 'utf8')).map(({ line, what }) => `${file}:${line} ${what}`),
);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${files.length} files of tests expect something, and wait for it`);
