/**
 * `npm run bench:scaling`: what a load needs and costs, from measured sizes and statements, and how long tasks
 * take then, by a small simulation of queues, consumers and stores. With `--compare` it is first held against the local run on this machine.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { estimatePrice, parseLoad } from '../deploy/price/estimate.ts';
import { MAX_STORES } from '../shared/task/id.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { alignedTable, markdownTable } from '../terminal/table.ts';
import { compareLocalRun } from './scaling/local-run.ts';
import { type Setting, simulate } from './scaling/simulation.ts';

const HELP = `npm run bench:scaling -- [--compare] [--write]

  --compare   also measures the local run, and what is simulated of it
  --write     also writes the tables into docs/scaling.md`;

const PAGE = path.resolve(import.meta.dirname, '../docs/scaling.md');

/**
 * A statement of the claim or the settle: measured here 0.7 ms and 0.07 ms a row (a hundred rows reach 13,000
 * a second). What Cloudflare's D1 takes is not published; twice that is assumed.
 */
const STATEMENT = { base: 1.4, row: 0.14 };

const LIVES = [
  { days: 30, bodyDays: 3 },
  { days: 30, bodyDays: 1 },
  { days: 12, bodyDays: 0.25 },
];

/** Backends that answer in a second; six connections a batch of ten, 250 batches a shard. */
const CALL_MS = 1_000;
const DEPLOYED = { batch: 10, connections: 6, invocations: 250, callMs: CALL_MS, statement: STATEMENT } as const;

/**
 * As many that every task finds a free invocation, by itself if need be: batches that fill only because all
 * invocations are taken span many stores, and the simulation then does not recover at 10,000 a second.
 */
function shardsFor(perSecond: number): number {
  const underWay = (perSecond * CALL_MS) / 1_000;
  return Math.max(1, Math.ceil((underWay * BURSTS) / DEPLOYED.invocations), Math.ceil(perSecond / QUEUE_PER_SECOND));
}

const BURSTS = 1.5;

/** Half of what one queue takes. */
const QUEUE_PER_SECOND = 2_500;

function hurtsFirst(perSecond: number, stores: number): string {
  if (stores > MAX_STORES) return `the store number: one byte, ${MAX_STORES} stores`;
  if (stores > 100) return 'an account’s storage: 1 TB until Cloudflare raises it';
  if (stores > 1) return 'the 10 GB of a database';
  return perSecond < 2 ? 'nothing' : 'the backends and their keys';
}

function row(perSecond: number, lives: (typeof LIVES)[number]): string[] {
  const load = parseLoad(`${perSecond}/s`);
  if (load === undefined) throw new Error(`${perSecond}/s is no load`);
  const estimate = estimatePrice(load, 1, lives);
  const { stores, gigabytes } = estimate.storage;
  const shards = shardsFor(perSecond);
  const setting: Setting = { ...DEPLOYED, perSecond, shards, stores: Math.min(stores, MAX_STORES) };
  const { p50Ms, p99Ms, storeLoad } = simulate(setting, 7);
  return [
    `${perSecond.toLocaleString('en-US')}`,
    `${lives.bodyDays} / ${lives.days}`,
    String(Math.round(gigabytes)),
    String(stores),
    String(shards),
    `${Math.round(p50Ms)} / ${Math.round(p99Ms)}`,
    `${(storeLoad * 100).toFixed(1)}%`,
    `$${Math.round(estimate.totalDollars).toLocaleString('en-US')}`,
    hurtsFirst(perSecond, stores),
  ];
}

const { values } = parseOptionsOrExit({
  options: {
    write: { type: 'boolean', default: false },
    compare: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const HEADER = [
  'tasks/s',
  'days: bodies / rows',
  'GB',
  'stores',
  'shards',
  'ms p50 / p99',
  'a store works',
  'a month',
  'what hurts first',
];
const rows = [1, 10, 100, 1_000, 10_000].flatMap((perSecond) => LIVES.map((lives) => row(perSecond, lives)));

const tables: (readonly [readonly string[], readonly string[][]])[] = [];
if (values.compare) {
  const compared = await compareLocalRun((line) => console.error(line));
  const shown = (value: number) => Math.round(value).toLocaleString('en-US');
  tables.push([
    ['the local run', 'simulated', 'measured, the median of three', 'lowest to highest', 'simulated ÷ measured'],
    compared.map(({ what, unit, simulated, measured: [lowest, median, highest] }) => [
      what,
      `${shown(simulated)} ${unit}`,
      shown(median),
      `${shown(lowest)} to ${shown(highest)}`,
      (simulated / median).toFixed(2),
    ]),
  ]);
}
tables.push([HEADER, rows]);
console.log(tables.map(([header, lines]) => alignedTable(header, lines)).join('\n\n'));
if (values.write) {
  const page = readFileSync(PAGE, 'utf8');
  const written = tables.reduce((text, [header, lines], index) => {
    const name = index === tables.length - 1 ? 'simulated' : 'compared';
    const between = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*(<!-- /${name} -->)`);
    return text.replace(
      between,
      (_, start: string, end: string) => `${start}\n${markdownTable(header, lines)}\n\n${end}`,
    );
  }, page);
  writeFileSync(PAGE, written);
}
