/**
 * `npm run bench:growth`: what each statement costs as the table grows, on the local D1: rows read and
 * written, milliseconds in the database, and the size of a row. Flat but for the logarithm, or exits with 1.
 */

import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { alignedTable } from '../terminal/table.ts';
import { fillTo } from './growth/filling.ts';
import { type Cost, MEASURED, measure, measureTask } from './growth/measured.ts';

const HELP = `npm run bench:growth -- [--rows 1000,10000,100000,1000000]

  --rows LIST   sizes of the table, ascending
                (1000,10000,100000,1000000,3000000)
  --help        this text`;

const MIGRATIONS = path.resolve(import.meta.dirname, '../migrations');

/** Rows read may differ by what a page happens to meet; more is growth. */
const MAX_GROWTH = 1.5;

const { values } = parseOptionsOrExit({
  options: {
    rows: { type: 'string', default: '1000,10000,100000,1000000,3000000' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const dir = mkdtempSync(path.join(tmpdir(), 'tasklane-growth-'));
const runtime = new Miniflare(
  convertV4MiniflareOptions({
    name: 'growth',
    modules: [{ type: 'ESModule', path: 'growth.js', contents: 'export default {};' }],
    d1Databases: { DB: 'growth' },
    resourcePersistencePath: dir,
    telemetry: { enabled: false },
    cf: false,
  }),
);
let grown = 0;
try {
  const db = await runtime.getD1Database('DB');
  for (const file of globSync('[0-9]*.sql', { cwd: MIGRATIONS }).sort()) {
    await db.prepare(readFileSync(path.join(MIGRATIONS, file), 'utf8')).run();
  }
  const sizes = values.rows.split(',').map(Number);
  const costs = new Map<string, Cost[]>(MEASURED.map(({ name }) => [name, []]));
  const bytes: string[] = [];
  let rows = 0;
  for (const size of sizes) {
    rows = await fillTo(db, rows, size);
    const { meta } = await db.prepare('SELECT 1').run();
    bytes.push(`${Math.round(meta.size_after / size)} B`);
    for (const operation of MEASURED) costs.get(operation.name)?.push(await measure(db, operation));
    console.error(`${size} rows measured`);
  }
  const cell = ({ read, written, ms }: Cost) => `${read} / ${written} / ${ms.toFixed(2)}`;
  const table = [...costs].map(([name, list]) => [name, ...list.map(cell)]);
  console.log('rows read / rows written / ms in the database, a call\n');
  console.log(alignedTable(['', ...sizes.map(String)], [...table, ['a row that never had bodies', ...bytes]]));
  const { whole, bare } = await measureTask(db);
  console.log(`\na task of 1 KB in and 1 KB out takes ${whole} bytes, and ${bare} when its bodies are gone`);
  for (const [name, list] of costs) {
    // Pages and windows are full from 100,000 rows on.
    const [first, last] = [list[2] ?? list.at(-1), list.at(-1)];
    if (first === undefined || last === undefined) continue;
    if (last.read > first.read * MAX_GROWTH + 10 || last.written > first.written + 1) {
      console.log(`${name} grows with the table: ${cell(first)}, then ${cell(last)}`);
      grown += 1;
    }
  }
} finally {
  await runtime.dispose();
  rmSync(dir, { recursive: true, force: true });
}
process.exit(grown > 0 ? 1 : 0);
