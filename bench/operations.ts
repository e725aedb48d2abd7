/**
 * `npm run ops`: what each path asks of the platform, counted at the bindings of the real Workers, beside
 * the budgets of the design; and what a million tasks cost at list prices.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseOptionsOrExit } from '../terminal/options.ts';
import { alignedTable, markdownTable } from '../terminal/table.ts';
import { isWithinMemory, MEMORY_HEADER, measureCallbackMemory, memoryRows } from './operations/callback-memory.ts';
import { type Meter, type MeteredRun, startMetered, sum } from './operations/metered-run.ts';
import type { Budget, Cost, Path } from './operations/path.ts';
import { PATHS } from './operations/paths.ts';
import { priceOfAMillion, priceRows } from './operations/price.ts';
import type { Counts } from './workers/metered/counts.ts';

const HELP = `npm run ops -- [--write | --only TEXT | --memory]

Counts the operations of each path on the real local Workers and prints them
beside their budgets. Exits with 1 when a budget is missed.

  --write   also writes the tables into docs/operations.md
  --only    counts the paths alone whose names hold the text
  --memory  instead: what the callback Worker holds in memory while it claims
            and settles large bodies`;

const PAGE = path.resolve(import.meta.dirname, '../docs/operations.md');
const SECTION = /(<!-- measured -->\n)[\s\S]*(<!-- \/measured -->)/;

const HEADER = [
  'path',
  'queue operations',
  'statements',
  'rows written',
  'rows read',
  'object calls',
  'object rows written',
  'R2 class A',
  'R2 class B',
  'budget',
  '',
];

interface Measured {
  readonly path: Path;
  readonly cost: Cost;
  readonly missed: readonly string[];
}

async function measure(run: MeteredRun, each: Path): Promise<Measured> {
  await run.idle();
  await each.prepare?.(run);
  await run.takeCounts();
  const units = await each.work(run);
  const cost = costOf(countsOf(each, await run.takeCounts()), units);
  const missed = Object.entries(each.budget).filter(([name, most]) => cost[name as keyof Cost] > most);
  return { path: each, cost, missed: missed.map(([name]) => name) };
}

function countsOf({ of }: Path, meter: Meter): Counts {
  if (of === 'cron') return sum(Object.values(meter).map(({ cron }) => cron));
  return of === undefined ? sum(Object.values(meter).map(({ work }) => work)) : meter[of].work;
}

function costOf(counts: Counts, units: number): Cost {
  return {
    queueOperations: (counts.queueWrites + counts.queueReads + counts.queueDeletes) / units,
    statements: counts.statements / units,
    rowsWritten: counts.rowsWritten / units,
    rowsRead: counts.rowsRead / units,
    durableObjectCalls: counts.durableObjectCalls / units,
    durableObjectRowsWritten: counts.durableObjectRowsWritten / units,
    bucketWrites: counts.bucketWrites / units,
    bucketReads: counts.bucketReads / units,
    mostInvocations: counts.mostInvocations,
  };
}

const BUDGET_NAMES: Readonly<Record<keyof Cost, string>> = {
  queueOperations: 'queue operations',
  statements: 'statements',
  rowsWritten: 'rows written',
  rowsRead: 'rows read',
  durableObjectCalls: 'object calls',
  durableObjectRowsWritten: 'object rows written',
  bucketWrites: 'R2 class A',
  bucketReads: 'R2 class B',
  mostInvocations: 'invocations a batch',
};

function row({ path: { name, budget }, cost, missed }: Measured): string[] {
  const numbers = [
    cost.queueOperations,
    cost.statements,
    cost.rowsWritten,
    cost.rowsRead,
    cost.durableObjectCalls,
    cost.durableObjectRowsWritten,
    cost.bucketWrites,
    cost.bucketReads,
  ];
  return [
    name,
    ...numbers.map(figure),
    describe(budget, cost),
    missed.length === 0 ? 'met' : `MISSED ${missed.join(', ')}`,
  ];
}

function describe(budget: Budget, cost: Cost): string {
  const parts = Object.entries(budget).map(([name, most]) => {
    const text = `≤ ${most} ${BUDGET_NAMES[name as keyof Cost]}`;
    return name === 'mostInvocations' ? `${text} (${cost.mostInvocations})` : text;
  });
  return parts.join(', ');
}

function figure(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(2);
}

function writePage(measured: readonly Measured[]): void {
  const page = readFileSync(PAGE, 'utf8');
  const tables = [
    markdownTable(HEADER, measured.map(row)),
    markdownTable(['', 'a million tasks'], priceRows(synchronous(measured))),
  ];
  // A function, because dollars mean something in a replacement text.
  const renew = (_: string, start: string, end: string) => `${start}\n${tables.join('\n\n')}\n\n${end}`;
  writeFileSync(PAGE, page.replace(SECTION, renew));
}

/** The path that the price is worked out for. */
function synchronous(measured: readonly Measured[]): Cost {
  const found = measured.find(({ path: { name } }) => name.startsWith('synchronous task, first try, per task'));
  if (found === undefined) throw new Error('the synchronous path was not measured');
  return found.cost;
}

const { values } = parseOptionsOrExit({
  options: {
    write: { type: 'boolean', default: false },
    only: { type: 'string' },
    memory: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (values.help) {
  console.log(HELP);
} else if (values.memory) {
  const held = await measureCallbackMemory();
  console.log(alignedTable(MEMORY_HEADER, memoryRows(held)));
  if (!held.every(isWithinMemory)) process.exitCode = 1;
} else {
  await using run = await startMetered();
  const measured: Measured[] = [];
  for (const each of PATHS.filter(({ name }) => name.includes(values.only ?? ''))) {
    process.stderr.write(`  ${each.name}\n`);
    measured.push(await measure(run, each));
  }
  console.log(`\n${alignedTable(HEADER, measured.map(row))}\n`);
  if (measured.some(({ missed }) => missed.length > 0)) process.exitCode = 1;
  if (values.only === undefined) {
    console.log(`${alignedTable(['', 'a million tasks'], priceRows(synchronous(measured)))}\n`);
    if (values.write) writePage(measured);
    if (priceOfAMillion(synchronous(measured)).isMissed) process.exitCode = 1;
  }
}
