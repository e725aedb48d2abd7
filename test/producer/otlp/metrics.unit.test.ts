import { describe, expect, it } from 'vitest';
import { encodeMetrics } from '../../../producer/otlp/metrics.ts';

const SINCE = 1_800_000_000_000;
const NOW = SINCE + 60_000;

const encode = (metric: Parameters<typeof encodeMetrics>[0][number]) =>
  encodeMetrics([metric], SINCE, NOW).resourceMetrics[0]?.scopeMetrics[0]?.metrics[0];

describe('metrics over OTLP', () => {
  it('are gauges, sums that only grow, and histograms, each with its times', () => {
    const times = { startTimeUnixNano: '1800000000000000000', timeUnixNano: '1800000060000000000' };
    const gauge = {
      name: 'tasklane_up',
      help: 'Up.',
      type: 'gauge' as const,
      samples: [[{ part: 'store', store: 1 }, 1]] as const,
    };
    const attributes = [
      { key: 'part', value: { stringValue: 'store' } },
      { key: 'store', value: { intValue: '1' } },
    ];
    expect(encode(gauge)).toEqual({
      name: 'tasklane_up',
      description: 'Up.',
      gauge: { dataPoints: [{ timeUnixNano: times.timeUnixNano, attributes, asDouble: 1 }] },
    });
    expect(encode({ ...gauge, name: 'tasklane_x_total', type: 'counter' })).toMatchObject({
      sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [{ ...times, asDouble: 1 }] },
    });
    const histogram = {
      ...gauge,
      type: 'histogram' as const,
      bounds: [1, 2],
      samples: [[{}, [3, 0, 4], 18.5]] as const,
    };
    expect(encode(histogram)).toMatchObject({
      histogram: {
        aggregationTemporality: 2,
        dataPoints: [{ ...times, count: '7', sum: 18.5, bucketCounts: ['3', '0', '4'], explicitBounds: [1, 2] }],
      },
    });
  });

  it('of key pools say no beginning, which nobody knows', () => {
    const calls = {
      name: 'tasklane_key_calls_total',
      help: 'Calls.',
      type: 'counter' as const,
      samples: [[{}, 5]] as const,
    };
    expect(encode(calls)?.sum?.dataPoints[0]).not.toHaveProperty('startTimeUnixNano');
  });

  it('without a sample are left out', () => {
    expect(encode({ name: 'tasklane_none', help: 'None.', type: 'gauge', samples: [] })).toBeUndefined();
  });
});
