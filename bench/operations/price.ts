/**
 * What a million synchronous tasks, submitted one by one, cost at Cloudflare's list prices, free
 * allowances left aside. Prices: the pricing pages of Workers, Queues, D1 and Durable Objects, November 2026.
 */
import type { Cost } from './paths.ts';

/** Dollars a million. */
const QUEUE_OPERATIONS = 0.4;
const ROWS_WRITTEN = 1;
const ROWS_READ = 0.001;
const DURABLE_OBJECT_REQUESTS = 0.15;
const REQUESTS = 0.3;
const CPU_MILLISECONDS = 0.02;

/** The design's budget for everything together, retention apart. */
const BUDGET = 3.75;

/**
 * Processor time of all Workers for one task: accept about 0.3 ms, its share of claim, call and settle
 * about 0.5 ms on the machine of the benchmark (`npm run bench` prints it), rounded up.
 */
const CPU_MILLISECONDS_PER_TASK = 2;

/** One request for the submission, and a hundredth for the batch that consumes it. */
const REQUESTS_PER_TASK = 1.01;

export interface Price {
  readonly parts: readonly (readonly [name: string, dollars: number])[];
  readonly total: number;
  readonly isMissed: boolean;
}

export function priceOfAMillion(cost: Cost): Price {
  const parts: Price['parts'] = [
    [`queues: ${cost.queueOperations.toFixed(2)} operations a task`, cost.queueOperations * QUEUE_OPERATIONS],
    [`D1: ${cost.rowsWritten.toFixed(2)} rows written`, cost.rowsWritten * ROWS_WRITTEN],
    [`D1: ${cost.rowsRead.toFixed(2)} rows read`, cost.rowsRead * ROWS_READ],
    [`Durable Objects: ${cost.durableObjectCalls.toFixed(2)} calls`, cost.durableObjectCalls * DURABLE_OBJECT_REQUESTS],
    [`Workers: ${REQUESTS_PER_TASK} requests`, REQUESTS_PER_TASK * REQUESTS],
    [`Workers: ${CPU_MILLISECONDS_PER_TASK} ms of processor`, CPU_MILLISECONDS_PER_TASK * CPU_MILLISECONDS],
  ];
  const total = parts.reduce((sum, [, dollars]) => sum + dollars, 0);
  return { parts, total, isMissed: total > BUDGET };
}

export function priceRows(cost: Cost): string[][] {
  const { parts, total, isMissed } = priceOfAMillion(cost);
  const dollars = (value: number) => `$${value.toFixed(3)}`;
  return [
    ...parts.map(([name, value]) => [name, dollars(value)]),
    [`all in; budget ${dollars(BUDGET)}, ${isMissed ? 'MISSED' : 'met'}`, dollars(total)],
  ];
}
