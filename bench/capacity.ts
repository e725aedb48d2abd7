/**
 * `npm run bench:capacity`: how near keys come to the pace of limits that nobody configured, over kinds of
 * providers and mishaps, in virtual time with the real limiter and pool; with `--live` three of them in the
 * real local run. Exits with 1 on a miss.
 */
import { parseOptionsOrExit } from '../terminal/options.ts';
import { checkBounds } from './capacity/bounds.ts';
import { bestOf } from './capacity/oracle.ts';
import { ROWS } from './capacity/rows.ts';
import { simulate } from './capacity/simulation.ts';
import { HEADING, lineOf } from './capacity/table.ts';
import { LIVE_ROWS, runLive } from './live-capacity/run.ts';

const USAGE = `npm run bench:capacity -- [options]

  --seeds N     runs of each row (15)
  --only TEXT   rows whose name has this in it
  --live        three of the rows in the local run, against HTTP servers, in
                real time
  --help        this text
`;

const { values } = parseOptionsOrExit({
  options: {
    seeds: { type: 'string', default: '15' },
    only: { type: 'string', default: '' },
    live: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const rows = ROWS.filter(({ name }) => name.includes(values.only));

async function runInLocalRun(): Promise<number> {
  let missed = 0;
  for (const row of rows.filter(({ name }) => LIVE_ROWS.includes(name))) {
    const misses = await runLive(row);
    if (misses.length === 0) continue;
    missed += 1;
    console.log(`  ✗ ${misses.join(', ')}`);
  }
  return summary(missed);
}

function runInVirtualTime(): number {
  const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index * 7 + 1);
  console.log(HEADING);
  let missed = 0;
  for (const row of rows) {
    const runs = seeds.map((seed) => ({ result: simulate(row.scenario, seed), best: bestOf(row.scenario, seed) }));
    const bounds = checkBounds(row, runs);
    console.log(lineOf(row.name, bounds));
    if (bounds.misses.length > 0) missed += 1;
  }
  return summary(missed);
}

function summary(missed: number): number {
  console.log(missed === 0 ? '\nEvery row is within its bounds.' : `\n${missed} rows miss a bound.`);
  return missed === 0 ? 0 : 1;
}

if (values.help) console.log(USAGE);
else process.exitCode = values.live ? await runInLocalRun() : runInVirtualTime();
