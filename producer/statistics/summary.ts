/** From tallies to what the API shows of them. Pure. */
import { percentileMs } from '../../shared/statistics/histogram.ts';
import {
  addTally,
  type Counter,
  counterOf,
  deferralsByReason,
  emptyTally,
  hourOf,
  type Tally,
  waitsByReason,
} from '../../shared/statistics/tally.ts';
import { TERMINAL_STATUSES, type TerminalStatus } from '../../shared/task/status.ts';
import type { Latency, TaskCounts, Trend } from '../schema/statistics.ts';

const HOUR_MS = 3600_000;

/** All of them together; an empty tally when there is none. */
export function sumOf(tallies: readonly Tally[]): Tally {
  const sum = emptyTally('service', '', 0);
  for (const tally of tallies) addTally(sum, tally);
  return sum;
}

/**
 * What became of tasks in as much time a while ago as passed in the `hours` up to now, of which the present one has only
 * begun: of the hour that was like it, the same share counts.
 */
export function trendOf(tallies: readonly Tally[], now: number, hours: number, hoursAgo: number): Trend {
  const last = hourOf(now) - hoursAgo;
  const whole = sumOf(tallies.filter(({ hour }) => hour > last - hours && hour < last));
  const begun = sumOf(tallies.filter(({ hour }) => hour === last));
  const share = now / HOUR_MS - hourOf(now);
  const count = (counter: Counter) => counterOf(whole, counter) + Math.round(counterOf(begun, counter) * share);
  return {
    started: count('started'),
    succeeded: count('succeeded'),
    failed: count('failed'),
    expired: count('expired'),
  };
}

export function countsOf(tally: Tally): TaskCounts {
  const ends = Object.fromEntries(
    TERMINAL_STATUSES.map((status) => [status, counterOf(tally, status)]),
  ) as unknown as Readonly<Record<TerminalStatus, number>>;
  // What somebody cancelled is neither a success nor a failure.
  const described = ends.succeeded + ends.failed + ends.expired;
  return {
    started: counterOf(tally, 'started'),
    ...ends,
    attempts: counterOf(tally, 'attempts'),
    failedAttempts: counterOf(tally, 'failedAttempts'),
    deferrals: deferralsByReason(tally),
    successRate: described === 0 ? null : round(ends.succeeded / described, 4),
    latency: {
      acceptToStartMs: latencyOf(tally.start),
      callMs: latencyOf(tally.call),
      acceptToEndMs: latencyOf(tally.total),
    },
    waits: Object.fromEntries([...waitsByReason(tally)].map(([reason, histogram]) => [reason, latencyOf(histogram)])),
  };
}

function latencyOf(histogram: readonly number[]): Latency | undefined {
  const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => percentileMs(histogram, share));
  if (p50 === undefined || p95 === undefined || p99 === undefined) return undefined;
  return { p50, p95, p99 };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
