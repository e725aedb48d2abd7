/**
 * `npm run bench:migrations`: migrations of three stores with rows in every state, the last of them while the Workers
 * accept, claim and settle, done by a deploy. Exits with 1 when a row is lost or changed, or an open one does not end.
 */

import { readPlan } from '../deploy/plan/plan-files.ts';
import { buildUploads } from '../deploy/upload/build-uploads.ts';
import { faultsOfMigrations, migrateUnderLoad } from '../rehearse/migrations-under-load.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { alignedTable } from '../terminal/table.ts';
import { describeMachine } from './report/machine.ts';

const HELP = `npm run bench:migrations -- [options]

  --rows N   rows in three stores, in every state (100000)
  --help     this text`;

const { values } = parseOptionsOrExit({
  options: { rows: { type: 'string', default: '100000' }, help: { type: 'boolean', default: false } },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const startedAt = performance.now();
const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(0);
const uploads = await buildUploads(readPlan({ shards: 1 }), 'rehearsal');
const report = await migrateUnderLoad(uploads, Number(values.rows), (line) => console.error(`${seconds()} s: ${line}`));
console.log(
  alignedTable(
    ['migration', 'ms in the slowest store', ''],
    report.migrations.map(({ name, slowestMs, underLoad }) => [name, String(slowestMs), underLoad ? 'under load' : '']),
  ),
);
const { rows, stores, changed, open, accepted } = report;
console.log(`\n${rows} rows in ${stores} stores; ${changed} of those that had ended are not as they were`);
console.log(`of those that were open ended: ${countsText(open)}`);
console.log(`of those accepted meanwhile ended: ${countsText(accepted)}`);
const faults = faultsOfMigrations(report);
for (const fault of faults) console.log(`FAILED: ${fault}`);
console.log(`${seconds()} s on ${describeMachine()}`);
process.exit(faults.length > 0 ? 1 : 0);

function countsText(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ');
}
