/**
 * How many stores a load needs, and what their storage costs. Pure. Sizes are those that `npm run
 * bench:growth` prints; people's bodies differ, so they can be stated.
 */

/** A row whose bodies are gone: what they leave free in its page is not all used again. */
const ROW_BYTES = 580;

/** A row with a request and a result of a kilobyte each. */
const ROW_WITH_BODIES_BYTES = 4_700;

/** Cloudflare's limit of one D1 database, and how full a store is to be at most: from 90% on it warns. */
const STORE_BYTES = 10_000_000_000;
const FILLED = 0.8;

/** D1 storage (Cloudflare's price list, November 2026): dollars a gigabyte and month, and what is included. */
const PER_GIGABYTE = 0.75;
const INCLUDED_GIGABYTES = 5;

/** A row written when the bodies go, before the row does. */
export const ROWS_WRITTEN_FOR_BODIES = 1;

export interface Lives {
  /** `RETENTION_DAYS`. */
  readonly days: number;
  /** `BODY_RETENTION_DAYS`. */
  readonly bodyDays: number;
}

export interface Storage {
  readonly gigabytes: number;
  readonly stores: number;
  readonly dollars: number;
}

const DAYS_A_MONTH = 30.4;

/** @param messagesPerTask rows without bodies beside the task's own */
export function storageOf(tasksAMonth: number, { days, bodyDays }: Lives, messagesPerTask = 0): Storage {
  const withBodies = Math.min(days, bodyDays);
  const tasksADay = tasksAMonth / DAYS_A_MONTH;
  const ofTasks = withBodies * ROW_WITH_BODIES_BYTES + (days - withBodies) * ROW_BYTES;
  const bytes = tasksADay * (ofTasks + messagesPerTask * days * ROW_BYTES);
  const gigabytes = bytes / 1e9;
  return {
    gigabytes,
    stores: Math.max(1, Math.ceil(bytes / (STORE_BYTES * FILLED))),
    dollars: Math.max(0, gigabytes - INCLUDED_GIGABYTES) * PER_GIGABYTE,
  };
}
