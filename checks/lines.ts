/**
 * `npm run lines -- [COMMIT]`: lines of code per room, then and now, as git has them. Sources alone, comments and blank
 * lines included.
 */
import { execFileSync } from 'node:child_process';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { alignedTable } from '../terminal/table.ts';
import { linesByRoom, type SizedFile } from './size.ts';

/** When the rooms were cut: before jobs, flows, quotas, alerts, several stores and large bodies. */
const FIRST = '17cfb32';

/** As a tree's difference from the empty one: one process for all files. */
function filesAt(commit: string): SizedFile[] {
  const empty = execFileSync('git', ['hash-object', '-t', 'tree', '/dev/null'], { encoding: 'utf8' }).trim();
  const args = ['diff', '--numstat', '--no-renames', empty, commit, '--', '*.ts', '*.tsx', '*.mts', '*.mjs'];
  const output = execFileSync('git', args, { encoding: 'utf8', maxBuffer: 1 << 26 });
  return output
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [lines = '0', , file = ''] = line.split('\t');
      return { file, lines: Number(lines) };
    });
}

const { values, positionals } = parseOptionsOrExit({ options: { help: { type: 'boolean' } }, allowPositionals: true });
const [then = FIRST, ...more] = positionals;
if (values.help || more.length > 0) {
  console.log(`npm run lines -- [COMMIT]\n\nLines of code per room at COMMIT (by default ${FIRST}) and now.`);
  process.exit(values.help ? 0 : 2);
}
const before = linesByRoom(filesAt(then));
const after = linesByRoom(filesAt('HEAD'));
const rooms = [...new Set([...before.keys(), ...after.keys()])].sort();
const sum = (lines: ReadonlyMap<string, number>) => [...lines.values()].reduce((total, each) => total + each, 0);
const row = (name: string, old: number, now: number) => [name, ...[old, now, now - old].map(String)];
const rows = rooms.map((room) => row(room, before.get(room) ?? 0, after.get(room) ?? 0));
console.log(alignedTable(['room', then, 'now', 'more'], [...rows, row('all', sum(before), sum(after))]));
