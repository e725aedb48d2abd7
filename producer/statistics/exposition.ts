/**
 * The Prometheus text format, version 0.0.4. Pure. Written here because libraries of this format keep their
 * own counts in memory, and these come from the database, histograms already in buckets; a parser and
 * Prometheus itself read what it writes in the tests.
 */

export type Labels = Readonly<Record<string, string | number>>;

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly samples: readonly (readonly [labels: Labels, value: number])[];
}

export interface HistogramMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'histogram';
  /** Upper bounds in the metric's unit; what is above all of them is counted last. */
  readonly bounds: readonly number[];
  /** The sum, in the metric's unit, is of everything that is counted. */
  readonly samples: readonly (readonly [labels: Labels, counts: readonly number[], sum: number])[];
}

/** Metrics without a sample are left out. */
export function exposition(metrics: readonly (Metric | HistogramMetric)[]): string {
  return metrics
    .filter(({ samples }) => samples.length > 0)
    .map((metric) => `# HELP ${metric.name} ${metric.help}\n# TYPE ${metric.name} ${metric.type}\n${linesOf(metric)}`)
    .join('');
}

function linesOf(metric: Metric | HistogramMetric): string {
  if (metric.type !== 'histogram') {
    return metric.samples.map(([labels, value]) => sampleLine(metric.name, labels, value)).join('');
  }
  return metric.samples.map((sample) => histogramLines(metric, sample)).join('');
}

function histogramLines(
  { name, bounds }: HistogramMetric,
  [labels, counts, sum]: HistogramMetric['samples'][number],
): string {
  let total = 0;
  const buckets = bounds.map((bound, at) => {
    total += counts[at] ?? 0;
    return sampleLine(`${name}_bucket`, { ...labels, le: bound }, total);
  });
  total += counts[bounds.length] ?? 0;
  return [
    ...buckets,
    sampleLine(`${name}_bucket`, { ...labels, le: '+Inf' }, total),
    sampleLine(`${name}_sum`, labels, sum),
    sampleLine(`${name}_count`, labels, total),
  ].join('');
}

function sampleLine(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(String(text))}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
