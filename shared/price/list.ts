/** Cloudflare's list prices: the pricing pages of Workers (with Workers Logs), Queues, D1 and Durable Objects, November 2026. */

/** Dollars a million. */
export const PER_MILLION = {
  queueOperations: 0.4,
  rowsWritten: 1,
  rowsRead: 0.001,
  durableObjectRequests: 0.15,
  durableObjectGigabyteSeconds: 12.5,
  durableObjectRowsWritten: 1,
  requests: 0.3,
  cpuMilliseconds: 0.02,
  logLines: 0.6,
} as const;

/** What the paid plan includes each month. */
export const INCLUDED = {
  queueOperations: 1_000_000,
  rowsWritten: 50_000_000,
  rowsRead: 25_000_000_000,
  durableObjectRequests: 1_000_000,
  durableObjectGigabyteSeconds: 400_000,
  durableObjectRowsWritten: 50_000_000,
  requests: 10_000_000,
  cpuMilliseconds: 30_000_000,
  logLines: 20_000_000,
} as const satisfies Record<keyof typeof PER_MILLION, number>;

/** Dollars a month for the plan itself, without which there are no Queues that hold messages for four days. */
export const PLAN = 5;

export type Metered = keyof typeof PER_MILLION;
