/**
 * `npm run bench:capacity`: how near keys come to the pace of limits that nobody configured, over kinds of
 * providers and mishaps, in virtual time with the real limiter and pool; with `--batches` through the consumer's real
 * batches as well; with `--live` three of them in the real local run. Exits with 1 on a miss.
 */
import { parseOptionsOrExit } from '../terminal/options.ts';
import { checkBounds, type Run } from './capacity/bounds.ts';
import { bestOf } from './capacity/oracle.ts';
import type { Row } from './capacity/row.ts';
import { ROWS } from './capacity/rows.ts';
import { SHARED_ROWS } from './capacity/shared-rows.ts';
import { type BatchPlatform, type Result, type Scenario, simulate } from './capacity/simulation.ts';
import { SLOW_ROWS } from './capacity/slow-rows.ts';
import { HEADING, lineOf } from './capacity/table.ts';
import { LIVE_ROWS, runLive } from './live-capacity/run.ts';

const USAGE = `npm run bench:capacity -- [options]

  --seeds N     runs of each row (15; 5 with --slow-calls and --shared, 3 with
                --batches)
  --only TEXT   rows whose name has this in it
  --batches     through the consumer's real batches: as deployed, and as in the
                local run
  --live        three of the rows in the local run, against HTTP servers, in
                real time
  --slow-calls  instead: limits whose calls run longer than their period; these
                are shown, and nothing is asked of them
  --shared      instead: one limit for all keys of a pool; these are shown as
                well
  --help        this text
`;

const { values } = parseOptionsOrExit({
  options: {
    seeds: { type: 'string' },
    only: { type: 'string', default: '' },
    batches: { type: 'boolean', default: false },
    live: { type: 'boolean', default: false },
    'slow-calls': { type: 'boolean', default: false },
    shared: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const shownRows = values['slow-calls'] ? SLOW_ROWS : values.shared ? SHARED_ROWS : undefined;
const usualSeeds = values.batches ? 3 : shownRows ? 5 : 15;
const seeds = Array.from({ length: Number(values.seeds ?? usualSeeds) }, (_, index) => index * 7 + 1);
const PLATFORMS = [
  ['As deployed: ten tasks a batch, six calls at a time, 250 batches at once', 'deployed', undefined],
  ['As in the local run: a hundred tasks a batch, one batch at a time', 'local', 100],
] as const;
const rows = (shownRows ?? ROWS).filter(({ name }) => name.includes(values.only));

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
  console.log(HEADING);
  let missed = 0;
  for (const row of rows) {
    const runs = seeds.map((seed) => ({ result: simulate(row.scenario, seed), best: bestOf(row.scenario, seed) }));
    missed += print(row, runs);
  }
  return summary(missed);
}

type SimulateBatches = (scenario: Scenario, platform: BatchPlatform, seed: number) => Promise<Result>;

async function runInBatches(): Promise<number> {
  // By name: the consumer's modules are checked with the platform's types, and this one with those of Node.
  const { href } = new URL('./batches/batches.ts', import.meta.url);
  const { simulateBatches } = (await import(href)) as { readonly simulateBatches: SimulateBatches };
  let missed = 0;
  for (const [name, platform, oneAtATime] of PLATFORMS) {
    console.log(`${name}\n${HEADING}`);
    for (const row of rows) {
      const runs: Run[] = [];
      for (const seed of seeds) {
        const result = await simulateBatches(row.scenario, platform, seed);
        const bestInBatches = oneAtATime && bestOf(row.scenario, seed, oneAtATime);
        runs.push({ result, best: bestOf(row.scenario, seed), bestInBatches });
      }
      missed += print(row, runs);
    }
    console.log();
  }
  return summary(missed);
}

/** @returns 1 on a miss */
function print(row: Row, runs: readonly Run[]): 0 | 1 {
  const bounds = checkBounds(row, runs);
  console.log(lineOf(row.name, shownRows ? { ...bounds, misses: [] } : bounds));
  return !shownRows && bounds.misses.length > 0 ? 1 : 0;
}

function summary(missed: number): number {
  if (shownRows) return 0;
  console.log(missed === 0 ? '\nEvery row is within its bounds.' : `\n${missed} rows miss a bound.`);
  return missed === 0 ? 0 : 1;
}

if (values.help) console.log(USAGE);
else if (values.live && shownRows) {
  console.error(`--live goes with neither --slow-calls nor --shared\n\n${USAGE}`);
  process.exitCode = 2;
} else if (values.live) process.exitCode = await runInLocalRun();
else if (values.batches) process.exitCode = await runInBatches();
else process.exitCode = runInVirtualTime();
