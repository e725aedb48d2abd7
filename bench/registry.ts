/**
 * `npm run bench:registry`: how calls spread over servers with each balancing algorithm, and what the
 * registry's object writes in a day; both from accelerated runs of the real decision code.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { BALANCING_ALGORITHMS } from '../shared/service/definition.ts';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { alignedTable, markdownTable } from '../terminal/table.ts';
import { measureDecision } from './registry/decision-time.ts';
import { type FirstCome, runFirstCome, SPIKE } from './registry/first-come.ts';
import { type Fleet, runStorageDay, type StorageDay } from './registry/storage-day.ts';
import { runTraffic, SERVERS, type TrafficReport } from './registry/traffic.ts';

const HELP = `npm run bench:registry -- [--write]

Exits with 1 when a target is missed: peak-EWMA beats round-robin at the 99th
percentile with one slow server; under 100 storage writes a day for 100 stable
servers with a leader; a spike's tasks wait at most 5% longer than in a perfect
first-come line, and cost at most 0.3 questions each.

  --write   also writes the tables into docs/servers.md`;

const PAGE = path.resolve(import.meta.dirname, '../docs/servers.md');

const FLEET_SIZES = [3, 10, 50, 100];
/** One row a server and five minutes. */
const NAIVE_WRITES = 288;
const MAX_WRITES = 100;

const TRAFFIC_HEADER = [
  'algorithm',
  ...SERVERS.map(({ name, weight, latencyMs }) => `${name} (weight ${weight}, ${latencyMs} ms)`),
  'p50 ms',
  'p99 ms',
  'keys that stay',
];

function trafficRow({ algorithm, calls, p50, p99, keysOnOneServer }: TrafficReport): string[] {
  const all = calls.reduce((sum, count) => sum + count, 0);
  const share = (count: number) => `${((100 * count) / all).toFixed(1)}%`;
  return [algorithm, ...calls.map(share), p50.toFixed(0), p99.toFixed(0), `${(100 * keysOnOneServer).toFixed(0)}%`];
}

const STORAGE_HEADER = [
  'servers',
  'with a leader',
  'each for itself, health-checked',
  'each for itself, not reachable',
  'a row a server and five minutes',
  'once, to register',
];

const LINE_HEADER = [
  `${SPIKE.toLocaleString('en-US')} tasks, 10 places`,
  'p50 s',
  'p90 s',
  'last s',
  'questions a call',
  'reports a call',
];

function lineRows({ waits, ideal, questions, reports }: FirstCome): string[][] {
  const seconds = (values: readonly number[]) => values.map((value) => value.toFixed(0));
  return [
    ['perfect first-come', ...seconds(ideal), '', ''],
    ['the line', ...seconds(waits), questions.toFixed(2), reports.toFixed(2)],
  ];
}

/** How much longer than in a perfect line, at the worst of the quantiles. */
function lateness({ waits, ideal }: FirstCome): number {
  return Math.max(...waits.map((wait, index) => wait / (ideal[index] ?? Number.NaN)));
}
const MAX_LATENESS = 1.05;
const MAX_QUESTIONS = 0.3;

const TIMED_FLEETS = [3, 100];
const TIMED_ALGORITHMS = ['least-connections', 'peak-ewma', 'sticky'] as const;
const TIME_HEADER = ['servers', ...TIMED_ALGORITHMS.map((algorithm) => `${algorithm}, µs`)];

async function timeRow(servers: number): Promise<string[]> {
  const cells = [String(servers)];
  for (const algorithm of TIMED_ALGORITHMS) cells.push((await measureDecision(algorithm, servers)).toFixed(1));
  return cells;
}

function total({ rows, alarms }: StorageDay['day']): number {
  return rows + alarms;
}

function storageRow(servers: number, days: Readonly<Record<Fleet, StorageDay>>): string[] {
  const show = ({ day }: StorageDay) => `${total(day)} (${day.rows} + ${day.alarms})`;
  return [
    String(servers),
    show(days.led),
    show(days.checked),
    show(days.unreachable),
    (servers * NAIVE_WRITES).toLocaleString('en-US'),
    String(total(days.led.start)),
  ];
}

function writePage(sections: Readonly<Record<string, string>>): void {
  let page = readFileSync(PAGE, 'utf8');
  for (const [name, table] of Object.entries(sections)) {
    const section = new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(<!-- /${name} -->)`);
    if (!section.test(page)) throw new Error(`docs/servers.md has no section ${name}`);
    page = page.replace(section, (_all, begin: string, end: string) => `${begin}\n${table}\n\n${end}`);
  }
  writeFileSync(PAGE, page);
}

async function run(write: boolean): Promise<number> {
  const traffic: TrafficReport[] = [];
  for (const algorithm of BALANCING_ALGORITHMS) traffic.push(await runTraffic(algorithm));
  console.log(
    `Calls by server, latencies with one slow server\n\n${alignedTable(TRAFFIC_HEADER, traffic.map(trafficRow))}\n`,
  );

  const days: Record<Fleet, StorageDay>[] = [];
  for (const servers of FLEET_SIZES) {
    days.push({
      led: await runStorageDay(servers, 'led'),
      checked: await runStorageDay(servers, 'checked'),
      unreachable: await runStorageDay(servers, 'unreachable'),
    });
  }
  const storage = days.map((each, index) => storageRow(FLEET_SIZES[index] ?? 0, each));
  console.log(`Storage writes a day (rows + alarms)\n\n${alignedTable(STORAGE_HEADER, storage)}\n`);

  const line = await runFirstCome();
  console.log(`A spike, and nine newcomers a second after it\n\n${alignedTable(LINE_HEADER, lineRows(line))}\n`);

  const times: string[][] = [];
  for (const servers of TIMED_FLEETS) times.push(await timeRow(servers));
  console.log(`Decision and report of a call, without RPC, on this machine\n\n${alignedTable(TIME_HEADER, times)}\n`);

  if (write) {
    writePage({
      spread: markdownTable(TRAFFIC_HEADER, traffic.map(trafficRow)),
      writes: markdownTable(STORAGE_HEADER, storage),
      line: markdownTable(LINE_HEADER, lineRows(line)),
    });
  }
  const p99 = (algorithm: string) => traffic.find((report) => report.algorithm === algorithm)?.p99 ?? Number.NaN;
  const most = days.at(-1);
  const missed = [
    p99('peak-ewma') < p99('round-robin') || 'peak-EWMA does not beat round-robin at the 99th percentile',
    (most !== undefined && total(most.led.day) < MAX_WRITES) || `${MAX_WRITES} writes a day or more with a leader`,
    line.questions <= MAX_QUESTIONS || `${line.questions.toFixed(2)} questions a call of a full service`,
    lateness(line) <= MAX_LATENESS || `a spike waits ${lateness(line).toFixed(2)} times as long as first-come`,
  ].filter((miss) => miss !== true);
  for (const miss of missed) console.log(`missed: ${miss}`);
  return missed.length === 0 ? 0 : 1;
}

const { values } = parseOptionsOrExit({
  options: { write: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
});
if (values.help) console.log(HELP);
else process.exitCode = await run(values.write);
