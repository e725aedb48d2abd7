import { describe, expect, it } from 'vitest';
import {
  addNumbers,
  BUCKET_BOUNDS_MS,
  bucketOf,
  emptyHistogram,
  percentileMs,
} from '../../../shared/statistics/histogram.ts';

function histogramOf(durations: readonly number[]): number[] {
  const histogram = emptyHistogram();
  for (const duration of durations) {
    const bucket = bucketOf(duration);
    histogram[bucket] = (histogram[bucket] ?? 0) + 1;
  }
  return histogram;
}

describe('histograms', () => {
  it('say percentiles within a factor of two of the truth', () => {
    const durations = Array.from({ length: 1_000 }, (_, at) => 10 + at * 7);
    const histogram = histogramOf(durations);
    for (const share of [0.1, 0.5, 0.9, 0.99]) {
      const truth = durations[Math.floor(share * durations.length)] ?? 0;
      const read = percentileMs(histogram, share) ?? 0;
      expect(read / truth).toBeGreaterThan(0.5);
      expect(read / truth).toBeLessThan(2);
    }
  });

  it('say nothing of nothing', () => {
    expect(percentileMs(emptyHistogram(), 0.5)).toBeUndefined();
  });

  it('count what is longer than every bound, and clocks that run backwards', () => {
    expect(bucketOf(Number.POSITIVE_INFINITY)).toBe(BUCKET_BOUNDS_MS.length);
    expect(bucketOf(-5_000)).toBe(0);
  });

  it('count a duration in the first bucket whose bound it does not exceed', () => {
    for (const [bucket, bound] of BUCKET_BOUNDS_MS.entries()) {
      expect([bound - 0.5, bound, bound + 0.5].map(bucketOf)).toEqual([bucket, bucket, bucket + 1]);
    }
  });

  it('are the same whether added up in parts or at once, also with one that counts more', () => {
    const [first, second] = [histogramOf([1, 20, 300]), histogramOf([20, 90_000])];
    addNumbers(first, second);
    expect(first).toEqual(histogramOf([1, 20, 300, 20, 90_000]));
    const older = [1, 2];
    addNumbers(older, [1, 1, 5]);
    expect(older).toEqual([2, 3, 5]);
  });
});
