/** Metrics as OTLP has them, and their push each minute where an endpoint is set. */
import { encodeAttributes, nanoseconds, resourceOf, SCOPE } from '../../shared/otlp/encode.ts';
import { pushOtlp } from '../../shared/otlp/send.ts';
import type { Runtime } from '../runtime.ts';
import { collectMetrics, countersSince } from '../statistics/collect.ts';
import type { HistogramMetric, Metric } from '../statistics/exposition.ts';

const CUMULATIVE = 2;

/** Of these nobody knows since when they count: a pool counts from its own start on. */
const OF_POOLS = /^tasklane_key_/;

export async function pushMetrics(runtime: Runtime, now: number): Promise<void> {
  const { otlp } = runtime.config;
  if (otlp === undefined) return;
  await pushOtlp(otlp, 'metrics', encodeMetrics(await collectMetrics(runtime, now), countersSince(now), now));
}

/** @param since when counters began, Unix ms */
export function encodeMetrics(metrics: readonly (Metric | HistogramMetric)[], since: number, now: number) {
  const told = metrics.filter(({ samples }) => samples.length > 0).map((metric) => encode(metric, since, now));
  return { resourceMetrics: [{ resource: resourceOf('producer'), scopeMetrics: [{ scope: SCOPE, metrics: told }] }] };
}

function encode(metric: Metric | HistogramMetric, since: number, now: number) {
  const { name, help: description } = metric;
  const times = {
    ...(metric.type !== 'gauge' && !OF_POOLS.test(name) && { startTimeUnixNano: nanoseconds(since) }),
    timeUnixNano: nanoseconds(now),
  };
  if (metric.type === 'histogram') {
    const dataPoints = metric.samples.map(([labels, counts, sum]) => {
      const all = metric.bounds.map((_, at) => counts[at] ?? 0).concat(counts[metric.bounds.length] ?? 0);
      return {
        ...times,
        attributes: encodeAttributes(labels),
        count: String(all.reduce((total, count) => total + count, 0)),
        sum,
        bucketCounts: all.map(String),
        explicitBounds: metric.bounds,
      };
    });
    return { name, description, unit: 's', histogram: { aggregationTemporality: CUMULATIVE, dataPoints } };
  }
  const dataPoints = metric.samples.map(([labels, value]) => ({
    ...times,
    attributes: encodeAttributes(labels),
    asDouble: value,
  }));
  return metric.type === 'gauge'
    ? { name, description, gauge: { dataPoints } }
    : { name, description, sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints } };
}
