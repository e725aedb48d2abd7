/**
 * What a load costs in a month at list prices. The operations of a task are those that `npm run ops`
 * meters (docs/operations.md; a test holds the two together), the prices those of `list.ts`. Pure.
 */

import { INCLUDED, type Metered, PER_MILLION, PLAN } from '../../shared/price/list.ts';
import { largeBodiesOf } from './large-bodies.ts';
import { type Lives, ROWS_WRITTEN_FOR_BODIES, type Storage, storageOf } from './storage.ts';

/**
 * A synchronous task with a pool's key that succeeds at the first try, in batches of ten, its
 * deletion when its retention is over included, and before it that of its bodies.
 */
export const OF_A_TASK: Readonly<Record<Metered, number>> = {
  queueOperations: 3,
  rowsWritten: 2.01 + ROWS_WRITTEN_FOR_BODIES + 1,
  rowsRead: 14 + 3,
  durableObjectRequests: 0.2,
  durableObjectGigabyteSeconds: 0,
  durableObjectRowsWritten: 0,
  requests: 1.1,
  cpuMilliseconds: 2,
  // `task.attempted`; lines of invocations are off (wrangler.toml).
  logLines: 1,
};

/** Of a task at a service with `maxConcurrency`, more: its place is kept, so that it outlives a restart. In batches of ten; alone it is ten times that. */
export const ROWS_OF_A_PLACE = 0.2;

/** A poll of a task that has ended and is not in the isolate's memory any more. */
export const OF_A_POLL: Readonly<Record<Metered, number>> = {
  queueOperations: 0,
  rowsWritten: 0,
  rowsRead: 1,
  durableObjectRequests: 0,
  durableObjectGigabyteSeconds: 0,
  durableObjectRowsWritten: 0,
  requests: 1,
  cpuMilliseconds: 1,
  logLines: 0,
};

/** The end of a task told to a webhook: a task of its own, sent on without a request, with a row and no body to speak of. */
export const OF_A_MESSAGE: Readonly<Record<Metered, number>> = {
  queueOperations: 3,
  rowsWritten: 4 + 1.01,
  rowsRead: 31 + 21,
  durableObjectRequests: 0,
  durableObjectGigabyteSeconds: 0,
  durableObjectRowsWritten: 0,
  requests: 0.1,
  cpuMilliseconds: 2,
  logLines: 1,
};

const MINUTES_A_MONTH = 43_800;

/** The rounds of a minute, the callback Worker's and the producer's: most of it the scan for strays. */
export const OF_A_SWEEP: Readonly<Record<Metered, number>> = {
  queueOperations: 0,
  rowsWritten: 0,
  rowsRead: 4_981,
  durableObjectRequests: 0,
  durableObjectGigabyteSeconds: 0,
  durableObjectRowsWritten: 0,
  requests: 2,
  cpuMilliseconds: 20,
  logLines: 0,
};

/**
 * The registry's object stays in memory while servers heartbeat, all month at most; the platform bills an
 * object as 128 MB whatever it uses (developers.cloudflare.com/durable-objects/platform/pricing). A pool of keys sets no
 * timer, so that it can hibernate between two requests, and that time is not billed (the same, "Compute billing").
 */
export const REGISTRY_GIGABYTE_SECONDS_A_MONTH = 2_628_000 * 0.128;

/**
 * Isolates that are awake, each of which asks the registry every five seconds, when it has work, whether definitions have
 * changed. How many there are is the platform's business; this many are assumed.
 */
const ISOLATES = 10;
const QUESTIONS_A_MONTH = (ISOLATES * 2_628_000) / 5;

const SECONDS_OF: Readonly<Record<string, number>> = { s: 1, min: 60, h: 3_600, day: 86_400, month: 2_628_000 };

const TIMES_OF: Readonly<Record<string, number>> = { '': 1, k: 1_000, M: 1_000_000 };

export interface Load {
  /** As it was stated. */
  readonly text: string;
  readonly tasksAMonth: number;
}

/** `10/s`, `500k/day`, `2.5M/month`. @returns undefined for anything else */
export function parseLoad(text: string): Load | undefined {
  const match = /^(\d+(?:\.\d+)?)(k|M|)\/(s|min|h|day|month)$/.exec(text);
  if (match === null) return undefined;
  const [, amount, times = '', unit = ''] = match;
  const tasksAMonth = (Number(amount) * (TIMES_OF[times] ?? 1) * (SECONDS_OF.month ?? 0)) / (SECONDS_OF[unit] ?? 1);
  return { text, tasksAMonth: Math.round(tasksAMonth) };
}

export interface Estimate {
  readonly load: Load;
  readonly pollsPerTask: number;
  readonly lines: readonly { readonly what: string; readonly amount: number; readonly dollars: number }[];
  readonly totalDollars: number;
  readonly storage: Storage;
}

/** As `wrangler.toml` sets them. */
const DEFAULT_LIVES: Lives = { days: 30, bodyDays: 3 };

const NAMES: Readonly<Record<Metered, string>> = {
  queueOperations: 'queue operations',
  rowsWritten: 'D1 rows written',
  rowsRead: 'D1 rows read',
  durableObjectRequests: 'Durable Object requests',
  durableObjectGigabyteSeconds: 'GB-s, the registry awake',
  durableObjectRowsWritten: 'Durable Object rows',
  requests: 'requests',
  cpuMilliseconds: 'ms of processor',
  logLines: 'log lines',
};

/**
 * @param largeShare of the tasks, from 0 to 1, whose bodies lie in the bucket
 * @param messagesPerTask told to webhooks
 * @param limitsCalls all tasks are taken to be of services with `maxConcurrency`
 */
export function estimatePrice(
  load: Load,
  pollsPerTask: number,
  lives: Lives = DEFAULT_LIVES,
  largeShare = 0,
  messagesPerTask = 0,
  limitsCalls = false,
): Estimate {
  const large = largeBodiesOf(load.tasksAMonth, largeShare, lives);
  const invocations = load.tasksAMonth * (OF_A_TASK.requests + pollsPerTask * OF_A_POLL.requests);
  const lines = (Object.keys(PER_MILLION) as Metered[]).map((metered) => {
    const amount =
      load.tasksAMonth *
        (OF_A_TASK[metered] + pollsPerTask * OF_A_POLL[metered] + messagesPerTask * OF_A_MESSAGE[metered]) +
      MINUTES_A_MONTH * OF_A_SWEEP[metered] +
      (metered === 'durableObjectGigabyteSeconds' ? REGISTRY_GIGABYTE_SECONDS_A_MONTH : 0) +
      (metered === 'durableObjectRequests' ? Math.min(QUESTIONS_A_MONTH, invocations) : 0) +
      (metered === 'durableObjectRowsWritten' && limitsCalls ? load.tasksAMonth * ROWS_OF_A_PLACE : 0) +
      (metered === 'rowsWritten' ? large.rowsWritten : 0);
    const billed = Math.max(0, amount - INCLUDED[metered]);
    return { what: NAMES[metered], amount: Math.round(amount), dollars: (billed / 1_000_000) * PER_MILLION[metered] };
  });
  const storage = storageOf(load.tasksAMonth, lives, messagesPerTask);
  lines.push({ what: 'GB stored in D1', amount: Math.round(storage.gigabytes), dollars: storage.dollars });
  lines.push(...large.lines);
  const totalDollars = lines.reduce((sum, { dollars }) => sum + dollars, PLAN);
  return { load, pollsPerTask, lines, totalDollars, storage };
}
