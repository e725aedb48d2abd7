/**
 * Durations counted in buckets whose bounds double, so that histograms of any isolates, hours and stores
 * are added number by number. A percentile read from them is within a factor of two of the truth, or within
 * the first bucket. Deterministic, without I/O; `addNumbers` changes its first argument.
 */

/** Upper bounds in milliseconds: 8 ms to about 37 hours; what takes longer is in one last bucket. */
export const BUCKET_BOUNDS_MS: readonly number[] = Array.from({ length: 25 }, (_, power) => 8 * 2 ** power);

/** One count a bound, and one for what is above all of them. */
export type Histogram = readonly number[];

export const BUCKETS = BUCKET_BOUNDS_MS.length + 1;

/** In the last bucket, and still 32 bits. */
const MAX_EIGHTHS = 2 ** 31;

export function emptyHistogram(): number[] {
  return new Array<number>(BUCKETS).fill(0);
}

/** The bucket that counts a duration; negative ones (skewed clocks) count as none. */
export function bucketOf(durationMs: number): number {
  // The bounds double from eight: the bucket is how many binary digits stand before the last three.
  const eighths = Math.ceil(durationMs / 8) - 1;
  return eighths <= 0 ? 0 : Math.min(32 - Math.clz32(Math.min(eighths, MAX_EIGHTHS)), BUCKETS - 1);
}

/** Makes `sum` as long as the longer one: a newer release may count more. */
export function addNumbers(sum: number[], added: readonly number[]): void {
  for (const [at, count] of added.entries()) sum[at] = (sum[at] ?? 0) + count;
}

/**
 * @param share 0.5 for the median
 * @returns milliseconds, interpolated within the bucket; undefined when nothing was counted
 */
export function percentileMs(histogram: Histogram, share: number): number | undefined {
  const total = histogram.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  const rank = share * total;
  let below = 0;
  for (const [at, count] of histogram.entries()) {
    if (count > 0 && below + count >= rank) {
      const low = at === 0 ? 0 : (BUCKET_BOUNDS_MS[at - 1] ?? 0);
      const high = BUCKET_BOUNDS_MS[at] ?? low;
      return Math.round(low + ((high - low) * (rank - below)) / count);
    }
    below += count;
  }
  return undefined;
}
