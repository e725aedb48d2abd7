/**
 * `npm run bench:fairness`: how much submitters that share a line delay each other, in virtual time, with the statements
 * that park and release tasks. Exits with 1 when a bound is not kept.
 */
import { parseOptionsOrExit } from '../terminal/options.ts';
import { alignedTable } from '../terminal/table.ts';
import { type Measured, scenarios } from './fairness/scenario.ts';

const HELP = `npm run bench:fairness -- [--backlog 50000]

  --backlog  how many tasks of the large submitter wait`;

const { values } = parseOptionsOrExit({
  options: {
    backlog: { type: 'string', default: '50000' },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(HELP);
} else {
  const measured: Measured[] = [];
  for (const measure of scenarios(Number(values.backlog))) measured.push(await measure());
  const rows = measured.map(({ name, figure, bound, isKept }) => [name, figure, bound, isKept ? 'kept' : 'MISSED']);
  console.log(alignedTable(['', 'measured', 'bound', ''], rows));
  if (measured.some(({ isKept }) => !isKept)) process.exitCode = 1;
}
