/**
 * What is counted of tasks in an hour, by service, subject and server, as plain numbers that can be added
 * up in any order: in an isolate's memory, in the database, over several databases. Deterministic, without
 * I/O; `addTally` and what begins with `count` change the tally that they are given.
 */
import { DEFERRAL_REASONS, type DeferralReason } from '../task/state.ts';
import { TERMINAL_STATUSES, type TerminalStatus } from '../task/status.ts';
import { addNumbers, BUCKETS, bucketOf, emptyHistogram } from './histogram.ts';

/** What is counted of tasks. */
export const TALLY_KINDS = ['service', 'subject', 'server'] as const;

/** Of a store's statement and of a shard's queue only times are counted, as `call`. */
export const ALL_KINDS = [...TALLY_KINDS, 'store', 'queue'] as const;
export type TallyKind = (typeof ALL_KINDS)[number];

/** For so many days the API shows counts. */
export const SHOWN_DAYS = 31;

/** For how many days the rows of a kind are kept: as long as something shows them, and a day. */
export const KEPT_DAYS: Readonly<Record<TallyKind, number>> = {
  // Compared with the week before.
  service: SHOWN_DAYS + 7 + 1,
  subject: SHOWN_DAYS + 1,
  server: SHOWN_DAYS + 1,
  // Metrics tell the present day.
  store: 1 + 1,
  queue: 1 + 1,
};

/**
 * The order of the numbers in a row: new ones come at the end, a new way to end among them. The compiler names this list when
 * one is missing.
 */
const COUNTERS = [
  'started',
  'attempts',
  'failedAttempts',
  'succeeded',
  'failed',
  'cancelled',
  'expired',
  /** The time of all calls together: over an hour, how many were under way at the mean (Little's law). */
  'callMs',
  /** Of all that is counted in `start` and in `total`, together. */
  'startMs',
  'totalMs',
] as const;
export type Counter = (typeof COUNTERS)[number];

export interface Tally {
  readonly kind: TallyKind;
  readonly name: string;
  /** Hours since 1970. */
  readonly hour: number;
  /** In the order of `COUNTERS`. */
  readonly counts: number[];
  /** By reason, in the order of `DEFERRAL_REASONS`. */
  readonly deferrals: number[];
  readonly start: number[];
  readonly call: number[];
  readonly total: number[];
  /** How often a wait for a reason was in a bucket, by `waitKey`, and how long all of them were (`waitSumKey`); few reasons occur. */
  readonly waits: Record<string, number>;
}

const HOUR_MS = 3600_000;

export function hourOf(at: number): number {
  return Math.floor(at / HOUR_MS);
}

export function startOfHour(hour: number): number {
  return hour * HOUR_MS;
}

export function emptyTally(kind: TallyKind, name: string, hour: number): Tally {
  return {
    kind,
    name,
    hour,
    counts: new Array<number>(COUNTERS.length).fill(0),
    deferrals: new Array<number>(DEFERRAL_REASONS.length).fill(0),
    start: emptyHistogram(),
    call: emptyHistogram(),
    total: emptyHistogram(),
    waits: {},
  };
}

/** Kind, name and hour of the sum stay as they are. */
export function addTally(sum: Tally, added: Tally): void {
  addNumbers(sum.counts, added.counts);
  addNumbers(sum.deferrals, added.deferrals);
  addNumbers(sum.start, added.start);
  addNumbers(sum.call, added.call);
  addNumbers(sum.total, added.total);
  for (const [key, count] of Object.entries(added.waits)) sum.waits[key] = (sum.waits[key] ?? 0) + count;
}

/** A task was started for the first time. */
export function countStart(tally: Tally, afterMs: number): void {
  raise(tally.counts, STARTED);
  raise(tally.start, bucketOf(afterMs));
  lengthen(tally.counts, START_MS, afterMs);
}

/** @param callMs undefined: nothing was called */
export function countAttempt(tally: Tally, callMs: number | undefined, failed: boolean): void {
  raise(tally.counts, ATTEMPTS);
  if (failed) raise(tally.counts, FAILED_ATTEMPTS);
  if (callMs === undefined) return;
  countDuration(tally, callMs);
}

/** @param waitMs where it is known when the wait begins */
export function countDeferral(tally: Tally, reason: DeferralReason, waitMs: number | undefined): void {
  raise(tally.deferrals, DEFERRAL_REASONS.indexOf(reason));
  if (waitMs !== undefined) countWait(tally, reason, waitMs);
}

/** A wait is over, or its end is known. */
export function countWait(tally: Tally, reason: DeferralReason, waitMs: number): void {
  const key = waitKey(reason, bucketOf(waitMs));
  tally.waits[key] = (tally.waits[key] ?? 0) + 1;
  const sumKey = waitSumKey(reason);
  tally.waits[sumKey] = (tally.waits[sumKey] ?? 0) + Math.max(0, waitMs);
}

export function countEnd(tally: Tally, status: TerminalStatus, totalMs: number): void {
  raise(tally.counts, ENDED[status]);
  raise(tally.total, bucketOf(totalMs));
  lengthen(tally.counts, TOTAL_MS, totalMs);
}

/** How long a call took, a statement of a store, or a queue to deliver. */
export function countDuration(tally: Tally, ms: number): void {
  raise(tally.call, bucketOf(ms));
  lengthen(tally.counts, CALL_MS, ms);
}

const [STARTED, ATTEMPTS, FAILED_ATTEMPTS, CALL_MS, START_MS, TOTAL_MS] = (
  ['started', 'attempts', 'failedAttempts', 'callMs', 'startMs', 'totalMs'] as const
).map((counter) => COUNTERS.indexOf(counter)) as [number, number, number, number, number, number];
const ENDED = Object.fromEntries(TERMINAL_STATUSES.map((status) => [status, COUNTERS.indexOf(status)])) as Record<
  TerminalStatus,
  number
>;

export function counterOf(tally: Pick<Tally, 'counts'>, counter: Counter): number {
  return tally.counts[COUNTERS.indexOf(counter)] ?? 0;
}

/** Deferrals by reason; reasons that did not occur are left out. */
export function deferralsByReason({ deferrals }: Pick<Tally, 'deferrals'>): Partial<Record<DeferralReason, number>> {
  return Object.fromEntries(
    DEFERRAL_REASONS.flatMap((reason, at) => (deferrals[at] ? [[reason, deferrals[at]] as const] : [])),
  );
}

/** A histogram a reason; reasons for which nobody waited are left out. */
export function waitsByReason({ waits }: Pick<Tally, 'waits'>): Map<DeferralReason, number[]> {
  const found = new Map<DeferralReason, number[]>();
  for (const reason of DEFERRAL_REASONS) {
    const counts = Array.from({ length: BUCKETS }, (_, bucket) => waits[waitKey(reason, bucket)] ?? 0);
    if (counts.some((count) => count > 0)) found.set(reason, counts);
  }
  return found;
}

/** How long all waits for a reason were together, in milliseconds. */
export function waitSumMs({ waits }: Pick<Tally, 'waits'>, reason: DeferralReason): number {
  return waits[waitSumKey(reason)] ?? 0;
}

function waitKey(reason: DeferralReason, bucket: number): string {
  return `${reason} ${bucket}`;
}

/** Beside the buckets of the reason, which are numbers. */
function waitSumKey(reason: DeferralReason): string {
  return `${reason} ms`;
}

function raise(numbers: number[], at: number): void {
  numbers[at] = (numbers[at] ?? 0) + 1;
}

/** Skewed clocks make no sum smaller. */
function lengthen(counts: number[], at: number, ms: number): void {
  counts[at] = (counts[at] ?? 0) + Math.max(0, ms);
}
