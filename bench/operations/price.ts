/**
 * What a million synchronous tasks, submitted one by one, cost at Cloudflare's list prices, free
 * allowances left aside.
 */
import { REGISTRY_GIGABYTE_SECONDS_A_MONTH } from '../../deploy/price/estimate.ts';
import { PER_MILLION } from '../../shared/price/list.ts';
import type { Cost } from './path.ts';

/** The design's budget for everything together, retention apart. */
const BUDGET = 3.75;

/**
 * Processor time of all Workers for one task: accept about 0.3 ms, its share of claim, call and settle
 * about 0.5 ms on the machine of the benchmark (`npm run bench` prints it), rounded up.
 */
const CPU_MILLISECONDS_PER_TASK = 2;

/** One request for the submission, and a tenth for the batch of ten that consumes it. */
const REQUESTS_PER_TASK = 1.1;

export interface Price {
  readonly parts: readonly (readonly [name: string, dollars: number])[];
  readonly total: number;
  readonly isMissed: boolean;
}

export function priceOfAMillion(cost: Cost): Price {
  const parts: Price['parts'] = [
    [
      `queues: ${cost.queueOperations.toFixed(2)} operations a task`,
      cost.queueOperations * PER_MILLION.queueOperations,
    ],
    [`D1: ${cost.rowsWritten.toFixed(2)} rows written`, cost.rowsWritten * PER_MILLION.rowsWritten],
    [`D1: ${cost.rowsRead.toFixed(2)} rows read`, cost.rowsRead * PER_MILLION.rowsRead],
    [
      `Durable Objects: ${cost.durableObjectCalls.toFixed(2)} calls`,
      cost.durableObjectCalls * PER_MILLION.durableObjectRequests,
    ],
    // Priced as those of D1 (developers.cloudflare.com/durable-objects/platform/pricing, "SQLite storage backend").
    [
      `Durable Objects: ${cost.durableObjectRowsWritten.toFixed(2)} rows written`,
      cost.durableObjectRowsWritten * PER_MILLION.rowsWritten,
    ],
    [`Workers: ${REQUESTS_PER_TASK} requests`, REQUESTS_PER_TASK * PER_MILLION.requests],
    [`Workers: ${CPU_MILLISECONDS_PER_TASK} ms of processor`, CPU_MILLISECONDS_PER_TASK * PER_MILLION.cpuMilliseconds],
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
    [
      'a month, whatever the load: the registry stays in memory while servers heartbeat',
      dollars((REGISTRY_GIGABYTE_SECONDS_A_MONTH / 1_000_000) * PER_MILLION.durableObjectGigabyteSeconds),
    ],
  ];
}
