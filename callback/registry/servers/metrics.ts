/**
 * How the calls of one service on one server went in the last five minutes: counts and latencies in
 * buckets that grow by a twentieth, so percentiles are right within 5% at any number of calls; and the
 * moving average that peak-EWMA balances by. Pure, over state that its caller owns.
 */

interface Slot {
  /** Start of its half minute; what is older is another's. */
  from: number;
  answered: number;
  failed: number;
  busy: number;
  /** Calls by latency bucket. */
  readonly latency: Map<number, number>;
}

export class Metrics {
  readonly slots: Slot[] = [];
  /** Peak-sensitive moving average of the latency; 0: no call yet. */
  ewmaMs = 0;
  ewmaAt = 0;
}

const SLOT_MS = 30_000;
const SLOTS = 10;
const GROWTH = Math.log(1.05);

/** After this the average has forgotten two thirds of what it knew. */
const EWMA_MEMORY_MS = 10_000;

/** A failure is no quick answer: it counts as slow, more so each time. */
const MIN_FAILURE_MS = 1_000;
const MAX_FAILURE_MS = 60_000;

export type CallEnd = 'answered' | 'failed' | 'busy';

export function noteCall(metrics: Metrics, end: CallEnd, durationMs: number, now: number): void {
  const slot = slotAt(metrics, now);
  slot[end] += 1;
  if (end === 'busy') return;
  const bucket = Math.ceil(Math.log(Math.max(1, durationMs)) / GROWTH);
  slot.latency.set(bucket, (slot.latency.get(bucket) ?? 0) + 1);
  noteEwma(metrics, end === 'answered' ? durationMs : failureMs(metrics, durationMs), now);
}

function failureMs({ ewmaMs }: Metrics, durationMs: number): number {
  return Math.max(durationMs, Math.min(MAX_FAILURE_MS, Math.max(MIN_FAILURE_MS, 2 * ewmaMs)));
}

/** Rises at once, falls with time: a server that got slow is avoided from its first slow answer on. */
function noteEwma(metrics: Metrics, durationMs: number, now: number): void {
  const kept = Math.exp((metrics.ewmaAt - now) / EWMA_MEMORY_MS);
  metrics.ewmaMs =
    durationMs > metrics.ewmaMs ? durationMs : metrics.ewmaMs * kept + Math.max(1, durationMs) * (1 - kept);
  metrics.ewmaAt = now;
}

/** What the average is worth after a time without calls: less and less, so that a slow one is tried again. */
export function fadedEwmaMs({ ewmaMs, ewmaAt }: Metrics, now: number): number {
  return ewmaMs * Math.exp((ewmaAt - now) / EWMA_MEMORY_MS);
}

function slotAt({ slots }: Metrics, now: number): Slot {
  const from = Math.floor(now / SLOT_MS) * SLOT_MS;
  const last = slots.at(-1);
  if (last !== undefined && last.from >= from) return last;
  const slot: Slot = { from, answered: 0, failed: 0, busy: 0, latency: new Map() };
  slots.push(slot);
  // The one that is being filled, and five minutes before it.
  if (slots.length > SLOTS + 1) slots.shift();
  return slot;
}

export interface MetricsSummary {
  readonly calls: number;
  readonly failures: number;
  readonly busy: number;
  readonly callsPerSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | undefined;
}

/** @param since when counting began, if less than five minutes ago */
export function summarize({ slots }: Metrics, since: number, now: number): MetricsSummary {
  const live = slots.filter(({ from }) => from + SLOT_MS > now - SLOTS * SLOT_MS);
  const sum = (of: (slot: Slot) => number) => live.reduce((total, slot) => total + of(slot), 0);
  const failures = sum(({ failed }) => failed);
  const busy = sum((slot) => slot.busy);
  const calls = sum(({ answered }) => answered) + failures + busy;
  const seconds = Math.max(1, Math.min(now - since, SLOTS * SLOT_MS) / 1000);
  return { calls, failures, busy, callsPerSecond: calls / seconds, latencyMs: percentiles(live) };
}

function percentiles(slots: readonly Slot[]): MetricsSummary['latencyMs'] {
  const total = new Map<number, number>();
  for (const { latency } of slots) {
    for (const [bucket, count] of latency) total.set(bucket, (total.get(bucket) ?? 0) + count);
  }
  const buckets = [...total].sort(([a], [b]) => a - b);
  const count = buckets.reduce((sum, [, calls]) => sum + calls, 0);
  if (count === 0) return undefined;
  const at = (share: number) => {
    let left = Math.ceil(share * count);
    for (const [bucket, calls] of buckets) {
      left -= calls;
      if (left <= 0) return Math.round(Math.exp(bucket * GROWTH) * 10) / 10;
    }
    return 0;
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
