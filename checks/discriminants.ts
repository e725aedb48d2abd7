/** Refuses unions whose members are told apart by anything but `kind`, `ok` of results, or the `status` of what has states. */
import { globSync, readFileSync } from 'node:fs';
import { discriminantsOf } from './discriminant.ts';

const SOURCES =
  '{agent,bench,callback,checks,consumer,dashboard,deploy,examples,local,producer,rehearse,shared,terminal,test}/**/*.{ts,tsx}';

const USUAL: ReadonlySet<string> = new Set(['kind', 'ok', 'status']);

/** Names that others hold us to: what is sent, kept or printed keeps them. */
const HELD_TO: ReadonlyMap<string, string> = new Map([
  // Settlements have it, in calls and in messages between Workers of two releases (decision 0021).
  ['shared/task/transition.ts', 'type'],
  ['shared/ledger/contract.ts', 'type'],
  // The registry's answers to consumers of another release have it.
  ['shared/registry/routing.ts', 'is'],
  // The registry's snapshots have it, and a rollback reads them.
  ['callback/registry/servers/circuit.ts', 'is'],
  // Prometheus calls it so.
  ['producer/statistics/exposition.ts', 'type'],
  // The lines of `tasklane-agent --json` have it.
  ['agent/event.ts', 'event'],
]);

const files = globSync(SOURCES).sort();
const found = files.flatMap((file) =>
  discriminantsOf(file, readFileSync(file, 'utf8')).map((discriminant) => ({ file, ...discriminant })),
);
const unusual = found.filter(({ name }) => !USUAL.has(name));
const problems = unusual
  .filter(({ file, name }) => HELD_TO.get(file) !== name)
  .map(
    ({ file, line, name }) => `${file}:${line} tells the members of a union apart by \`${name}\`; the word is \`kind\``,
  );
for (const [file, name] of HELD_TO) {
  if (unusual.some((each) => each.file === file && each.name === name)) continue;
  problems.push(`checks/discriminants.ts lets ${file} have \`${name}\`, which no union there has`);
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${found.length} unions, ${found.length - unusual.length} of them told apart by kind, ok or status`);
