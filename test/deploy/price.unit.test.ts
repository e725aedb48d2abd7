import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  estimatePrice,
  OF_A_MESSAGE,
  OF_A_POLL,
  OF_A_SWEEP,
  OF_A_TASK,
  parseLoad,
  ROWS_OF_A_PLACE,
} from '../../deploy/price/estimate.ts';
import { ROWS_WRITTEN_FOR_BODIES, storageOf } from '../../deploy/price/storage.ts';
import { PLAN } from '../../shared/price/list.ts';

/** A row of the table that `npm run ops -- --write` renews: queue operations, statements, rows written and read, object calls and rows. */
function metered(path: string): number[] {
  const line = readFileSync('docs/operations.md', 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`| ${path} |`));
  if (line === undefined) throw new Error(`docs/operations.md has no row ${path}`);
  return line.split('|').slice(2, 8).map(Number);
}

/** But for rows of statistics, which move with how long a run takes: a write of twelve in a path of 200 tasks is 0.06 a task. */
const STATISTICS = 0.1;

describe('the operations of the estimate', () => {
  it('are those that were metered', () => {
    const [queueOperations, , rowsWritten, rowsRead, objectCalls] = metered(
      "synchronous task with a pool's key, per task in batches of 10",
    );
    const [, , deletedRows, deletedReads] = metered('retention, per task deleted');
    expect(OF_A_TASK.queueOperations).toBe(queueOperations);
    const written = (rowsWritten ?? 0) + (deletedRows ?? 0) + ROWS_WRITTEN_FOR_BODIES;
    expect(Math.abs(OF_A_TASK.rowsWritten - written)).toBeLessThan(STATISTICS);
    expect(OF_A_TASK.durableObjectRequests).toBe(objectCalls);
    const rowsOfPlaces = (how: string) => metered(`task at a service with maxConcurrency, ${how}`)[5];
    expect(rowsOfPlaces('per task in batches of 10')).toBe(ROWS_OF_A_PLACE);
    expect(rowsOfPlaces('alone')).toBe(10 * ROWS_OF_A_PLACE);
    expect(OF_A_POLL.rowsRead).toBe(metered('poll of a finished task, cold')[3]);
    // Reads move with what else a run has stored; a million of them cost a tenth of a cent.
    expect(OF_A_TASK.rowsRead / ((rowsRead ?? 0) + (deletedReads ?? 0))).toBeCloseTo(1, 0);
    const [plainQueue, , plainRows] = metered('synchronous task, first try, per task in batches of 10');
    const [toldQueue, , toldRows] = metered('task whose end is told to its hook, per task in batches of 10');
    expect(OF_A_MESSAGE.queueOperations).toBe((toldQueue ?? 0) - (plainQueue ?? 0));
    const rowsOfMessage = (toldRows ?? 0) - (plainRows ?? 0) + (deletedRows ?? 0);
    expect(Math.abs(OF_A_MESSAGE.rowsWritten - rowsOfMessage)).toBeLessThan(STATISTICS);
    expect(OF_A_SWEEP.rowsRead / (metered('sweep with nothing due')[3] ?? 0)).toBeCloseTo(1, 0);
  });
});

describe('a load', () => {
  it.each([
    ['1/s', 2_628_000],
    ['10/s', 26_280_000],
    ['500k/day', 15_208_333],
    ['2.5M/month', 2_500_000],
    ['0.5/min', 21_900],
  ])('%s', (text, tasks) => {
    expect(parseLoad(text)?.tasksAMonth).toBe(tasks);
  });

  it.each(['', '10', '10/sec', '-1/s', 'ten/s', '10 /s'])('is not %j', (text) => {
    expect(parseLoad(text)).toBeUndefined();
  });
});

describe('the estimate', () => {
  it('is the plan alone while the included amounts last', () => {
    const small = parseLoad('100k/month')!;
    expect(estimatePrice(small, 1).totalDollars).toBe(PLAN);
  });

  it('has a line of its own for the registry, which stays in memory all month, within what the plan includes', () => {
    const { lines } = estimatePrice(parseLoad('1/month')!, 0);
    expect(lines).toContainEqual({ what: 'GB-s, the registry awake', amount: 336_384, dollars: 0 });
  });

  it('has lines for the bucket where large bodies are stated', () => {
    const load = parseLoad('10M/month')!;
    const { lines, totalDollars } = estimatePrice(load, 1, { days: 30, bodyDays: 3 }, 0.1);
    expect(lines).toContainEqual({ what: 'R2 class A operations', amount: 2_000_730, dollars: expect.closeTo(4.5, 1) });
    expect(lines).toContainEqual({ what: 'R2 class B operations', amount: 2_000_000, dollars: 0 });
    expect(lines).toContainEqual({ what: 'GB stored in R2', amount: 987, dollars: expect.closeTo(14.65, 1) });
    expect(totalDollars - estimatePrice(load, 1).totalDollars).toBeCloseTo(19.2, 0);
  });

  it('comes near the price of a million tasks when they are many', () => {
    const many = estimatePrice(parseLoad('1000M/month')!, 0);
    // docs/operations.md: $3.595 a million and $0.03 for a key's object, $1 each when bodies and row go, and $0.60 for the
    // line of its log.
    expect((many.totalDollars - many.storage.dollars) / 1000).toBeGreaterThan(6.1);
    expect((many.totalDollars - many.storage.dollars) / 1000).toBeLessThan(6.5);
  });

  it('has a line for the logs, a line an attempt, and the questions of isolates among those to objects', () => {
    const { lines } = estimatePrice(parseLoad('100M/month')!, 1);
    const line = (what: string) => lines.find((candidate) => candidate.what === what);
    expect(line('log lines')).toEqual({ what: 'log lines', amount: 100_000_000, dollars: 48 });
    expect(line('Durable Object requests')?.amount).toBe(20_000_000 + 5_256_000);
  });

  it('has a line for the rows that keep places, where services limit calls at a time, beyond those that the plan includes', () => {
    const load = parseLoad('1000M/month')!;
    const line = (limitsCalls: boolean) =>
      estimatePrice(load, 0, undefined, 0, 0, limitsCalls).lines.find(({ what }) => what === 'Durable Object rows');
    expect(line(false)).toMatchObject({ amount: 0, dollars: 0 });
    expect(line(true)).toMatchObject({ amount: 200_000_000, dollars: 150 });
  });

  it('counts messages to webhooks as tasks of their own, with a row and no body', () => {
    const load = parseLoad('100M/month')!;
    const [without, told] = [estimatePrice(load, 0), estimatePrice(load, 0, undefined, 0, 1)];
    const more = told.totalDollars - told.storage.dollars - (without.totalDollars - without.storage.dollars);
    // $1.20 of queue operations, $5.01 of rows, $0.60 of log lines, and a little.
    expect(more / 100).toBeCloseTo(6.9, 1);
    expect(told.storage.gigabytes - without.storage.gigabytes).toBeCloseTo((100e6 / 30.4) * 30 * 580e-9, 0);
  });
});

describe('the stores of a load', () => {
  const lives = { days: 30, bodyDays: 3 };
  it.each([
    ['1M/month', 1],
    ['10/s', 4],
    ['100/s', 33],
    ['1000/s', 322],
  ])('%s', (text, stores) => {
    expect(storageOf(parseLoad(text)!.tasksAMonth, lives).stores).toBe(stores);
  });

  it('are fewer when bodies go at once, and more when they stay as long as rows', () => {
    const load = parseLoad('100/s')!;
    expect(storageOf(load.tasksAMonth, { days: 30, bodyDays: 0 }).stores).toBeLessThan(20);
    expect(storageOf(load.tasksAMonth, { days: 30, bodyDays: 30 }).stores).toBeGreaterThan(140);
  });
});
