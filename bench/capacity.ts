/**
 * `npm run bench:capacity`: how near keys come to the pace of limits that nobody configured, over kinds of
 * providers and mishaps, in virtual time with the real limiter and pool. Exits with 1 on a miss.
 */
import { parseArgs } from 'node:util';
import { judge } from './capacity/judgement.ts';
import { ROWS } from './capacity/rows.ts';
import { simulate } from './capacity/simulation.ts';

const USAGE = `npm run bench:capacity -- [options]

  --seeds N     runs of each row (15)
  --only TEXT   rows whose name has this in it
  --help        this text
`;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '15' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});

function run(): number {
  const seeds = Array.from({ length: Number(values.seeds) }, (_, index) => index * 7 + 1);
  console.log(`${'provider'.padEnd(48)} time / ideal   429s          spread  deferrals  wait`);
  let missed = 0;
  for (const row of ROWS.filter(({ name }) => name.includes(values.only))) {
    const verdict = judge(
      row,
      seeds.map((seed) => simulate(row.scenario, seed)),
    );
    const { time, limited, spread, deferrals, waitMs, misses } = verdict;
    const columns = [
      row.name.padEnd(48),
      (time === undefined ? '–' : `${time.median.toFixed(2)} (${time.worst.toFixed(2)})`).padEnd(14),
      `${percent(limited.median)} (${percent(limited.worst)})`.padEnd(14),
      (spread === undefined ? '–' : percent(spread)).padEnd(7),
      deferrals.toFixed(2).padEnd(10),
      `${(waitMs / 1_000).toFixed(1)} s`.padEnd(9),
      misses.length === 0 ? '' : `✗ ${misses.join(', ')}`,
    ];
    console.log(columns.join(' ').trimEnd());
    if (misses.length > 0) missed += 1;
  }
  console.log(missed === 0 ? '\nEvery row is within its bounds.' : `\n${missed} rows miss a bound.`);
  return missed === 0 ? 0 : 1;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

if (values.help) console.log(USAGE);
else process.exitCode = run();
