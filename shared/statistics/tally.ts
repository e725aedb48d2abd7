/**
 * What is counted of tasks in an hour, by service, subject and server, as plain numbers that can be added
 * up in any order: in an isolate's memory, in the database, over several databases. Deterministic, without
 * I/O; `addCounts` and `countSample` change the tally that they are given.
 */
import { DEFERRAL_REASONS, type DeferralReason } from '../task/state.ts';
import { TERMINAL_STATUSES, type TerminalStatus } from '../task/status.ts';
import { addNumbers, BUCKETS, bucketOf, emptyHistogram } from './histogram.ts';

/** What is counted of tasks. */
export const TALLY_KINDS = ['service', 'subject', 'server'] as const;

/** Of a store's statement and of a shard's queue only times are counted, as `call`. */
export type TallyKind = (typeof TALLY_KINDS)[number] | 'store' | 'queue';

/** The order of the numbers in a row: new ones come at the end. */
const COUNTERS = ['started', 'attempts', 'failedAttempts', ...TERMINAL_STATUSES] as const;
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
  /** How often a wait for a reason was in a bucket, by `waitKey`; few reasons occur. */
  readonly waits: Record<string, number>;
}

export type SampleEvent =
  | { readonly kind: 'started'; readonly afterMs: number }
  | { readonly kind: 'attempt'; readonly callMs: number | undefined; readonly failed: boolean }
  /** `waitMs`: where it is known when the wait begins. */
  | { readonly kind: 'deferred'; readonly reason: DeferralReason; readonly waitMs?: number | undefined }
  /** A wait is over whose length nobody knew when it began. */
  | { readonly kind: 'waited'; readonly reason: DeferralReason; readonly waitMs: number }
  | { readonly kind: 'ended'; readonly status: TerminalStatus; readonly totalMs: number };

/** One thing that happened to a task. */
export interface Sample {
  readonly service: string;
  readonly subject?: string | undefined;
  readonly server?: string | undefined;
  /** Unix ms. */
  readonly at: number;
  readonly event: SampleEvent;
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

/** The sum of both; kind, name and hour are those of the first. */
export function addTallies(a: Tally, b: Tally): Tally {
  return {
    ...a,
    counts: addNumbers(a.counts, b.counts),
    deferrals: addNumbers(a.deferrals, b.deferrals),
    start: addNumbers(a.start, b.start),
    call: addNumbers(a.call, b.call),
    total: addNumbers(a.total, b.total),
    waits: addWaits(a.waits, b.waits),
  };
}

/** What one event adds to each tally that it is counted in: places in its arrays, -1 for none. */
interface Counts {
  readonly counters: readonly number[];
  readonly deferral: number;
  readonly histogram: 'start' | 'call' | 'total' | undefined;
  readonly bucket: number;
  /** In `waits`. */
  readonly wait?: string | undefined;
}

export function countsOf(event: SampleEvent): Counts {
  switch (event.kind) {
    case 'started':
      return { counters: STARTED, deferral: -1, histogram: 'start', bucket: bucketOf(event.afterMs) };
    case 'attempt': {
      const { callMs, failed } = event;
      const counters = failed ? FAILED_ATTEMPT : ATTEMPT;
      if (callMs === undefined) return { counters, deferral: -1, histogram: undefined, bucket: -1 };
      return { counters, deferral: -1, histogram: 'call', bucket: bucketOf(callMs) };
    }
    case 'deferred':
      return {
        counters: [],
        deferral: DEFERRAL_REASONS.indexOf(event.reason),
        histogram: undefined,
        bucket: -1,
        wait: event.waitMs === undefined ? undefined : waitKey(event.reason, bucketOf(event.waitMs)),
      };
    case 'waited':
      return { ...NOTHING, wait: waitKey(event.reason, bucketOf(event.waitMs)) };
    case 'ended':
      return { counters: ENDED[event.status], deferral: -1, histogram: 'total', bucket: bucketOf(event.totalMs) };
  }
}

const NOTHING: Counts = { counters: [], deferral: -1, histogram: undefined, bucket: -1 };
const STARTED = [COUNTERS.indexOf('started')];
const ATTEMPT = [COUNTERS.indexOf('attempts')];
const FAILED_ATTEMPT = [...ATTEMPT, COUNTERS.indexOf('failedAttempts')];
const ENDED = Object.fromEntries(
  TERMINAL_STATUSES.map((status) => [status, [COUNTERS.indexOf(status)]]),
) as unknown as Record<TerminalStatus, readonly number[]>;

export function addCounts(tally: Tally, { counters, deferral, histogram, bucket, wait }: Counts): void {
  for (const counter of counters) raise(tally.counts, counter);
  if (deferral >= 0) raise(tally.deferrals, deferral);
  if (histogram !== undefined) raise(tally[histogram], bucket);
  if (wait !== undefined) tally.waits[wait] = (tally.waits[wait] ?? 0) + 1;
}

export function countSample(tally: Tally, { event }: Sample): void {
  addCounts(tally, countsOf(event));
}

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

/** How long a statement of a store took, or a queue to deliver. */
export function countDuration(tally: Tally, ms: number): void {
  raise(tally.call, bucketOf(ms));
}

function addWaits(a: Tally['waits'], b: Tally['waits']): Tally['waits'] {
  const sum = { ...a };
  for (const [key, count] of Object.entries(b)) sum[key] = (sum[key] ?? 0) + count;
  return sum;
}

function waitKey(reason: DeferralReason, bucket: number): string {
  return `${reason} ${bucket}`;
}

function raise(numbers: number[], at: number): void {
  numbers[at] = (numbers[at] ?? 0) + 1;
}
