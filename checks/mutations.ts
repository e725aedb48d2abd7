/**
 * Every mutation of the protocol's tests still applies: each of its edits finds its place exactly once, and in the
 * migration that is in force.
 */
import { globSync, readFileSync } from 'node:fs';
import { MUTATED_ROWS } from '../test/protocol/mutations/list.ts';
import type { Edit } from '../test/protocol/mutations/mutation.ts';

/** @returns the edits that do not find their place; they are made one after the other, as a run makes them */
function astray(edits: readonly Edit[]): Edit[] {
  const texts = new Map<string, string>();
  return edits.filter(({ file, from, to }) => {
    const [before, after, ...more] = (texts.get(file) ?? readFileSync(file, 'utf8')).split(from);
    if (before === undefined || after === undefined || more.length > 0) return true;
    texts.set(file, before + to + after);
    return false;
  });
}

const MIGRATIONS = globSync('migrations/*.sql').sort();

/** @returns the later migration that makes again what the edit takes out, so that nothing is taken out */
function overruling({ file, from }: Edit): string | undefined {
  const at = MIGRATIONS.indexOf(file);
  return at < 0 ? undefined : MIGRATIONS.slice(at + 1).find((later) => readFileSync(later, 'utf8').includes(from));
}

let count = 0;
let bad = 0;
for (const { name, mutations } of MUTATED_ROWS) {
  for (const { rule, out, edits } of mutations) {
    count += 1;
    for (const { file, from } of astray(edits)) {
      bad += 1;
      console.error(`${name}: ${rule} without ${out}: stands not exactly once in ${file}:\n    ${from}`);
    }
    for (const edit of edits) {
      const later = overruling(edit);
      if (later === undefined) continue;
      bad += 1;
      console.error(`${name}: ${rule} without ${out}: ${later} makes it again; take it out there`);
    }
  }
}
console.log(`${count} mutations${bad === 0 ? ' apply' : `, ${bad} edits do not apply`}`);
if (bad > 0) process.exitCode = 1;
