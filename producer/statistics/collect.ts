/**
 * Everything that `/metrics` and the push of metrics tell, collected at once: one look at each part, and how long
 * the stores and the queues took to answer it. A part that does not answer is missing, and `tasklane_up` says so.
 */
import { hourOf, startOfHour, type Tally, type TallyKind } from '../../shared/statistics/tally.ts';
import { readStatistics } from '../../shared/store/statistics.ts';
import { askSize } from '../../shared/store/store-size.ts';
import { readKeysOfShards } from '../keys/keys-of-shards.ts';
import type { Runtime } from '../runtime.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';
import { readBacklog } from './backlog.ts';
import type { HistogramMetric, Metric } from './exposition.ts';
import {
  answerMetrics,
  backlogMetrics,
  durationMetrics,
  keyAgeMetric,
  keyMetrics,
  serverMetrics,
  storeMetrics,
  taskMetrics,
} from './metrics.ts';
import { describeStores } from './stores.ts';
import { sumOf } from './summary.ts';

const HOURS_A_DAY = 24;

/** A thousand services for a day. */
const MAX_ROWS = 24_000;

/** Since when counters count, Unix ms: they start anew at midnight UTC. */
export function countersSince(now: number): number {
  const hour = hourOf(now);
  return startOfHour(hour - (hour % HOURS_A_DAY));
}

export async function collectMetrics(runtime: Runtime, now: number): Promise<(Metric | HistogramMetric)[]> {
  const { config } = runtime;
  const { control, all } = config.stores;
  const queueMs: (number | undefined)[] = [];
  const queues = config.queues.map((queue, shard) => ({
    metrics: () =>
      timed(
        (ms) => (queueMs[shard] = ms),
        () => queue.metrics(),
      ),
  }));
  const talliesOf = (kind: TallyKind) =>
    callUpstream('database', () => readStatistics(control, kind, hourOf(countersSince(now)), undefined, MAX_ROWS));
  const [tallies, ofStores, ofQueues, backlog, stores, storeMs, shards, servers] = await Promise.all([
    talliesOf('service'),
    talliesOf('store'),
    talliesOf('queue'),
    readBacklog(queues, all, now),
    describeStores(runtime, now),
    Promise.all(all.map(({ number, db }) => probe(number, db))),
    readKeysOfShards(runtime, now),
    callUpstream('registry', () => config.registry.listServers({ subject: '', isAdmin: true })),
  ]);
  const keys = shards.flatMap(({ shard, keys: views = [] }) => views.map((view) => ({ ...view, shard })));
  const up: Metric = {
    name: 'tasklane_up',
    help: 'Whether a part of Tasklane answered.',
    type: 'gauge',
    samples: [
      [{ part: 'database' }, tallies === UNAVAILABLE ? 0 : 1],
      [{ part: 'registry' }, servers === UNAVAILABLE ? 0 : 1],
      ...storeMs.map(({ store, ms }) => [{ part: 'store', store }, ms === undefined ? 0 : 1] as const),
      // Of those that have not had their turn nothing is known.
      ...shards
        .filter(({ at, isAway }) => at !== undefined || isAway)
        .map(({ shard, isAway }) => [{ part: 'consumer', shard }, isAway ? 0 : 1] as const),
    ],
  };
  return [
    up,
    ...taskMetrics(byName(tallies)),
    ...durationMetrics(byName(ofStores), byName(ofQueues)),
    ...backlogMetrics(backlog, now),
    ...storeMetrics(stores),
    ...answerMetrics(storeMs, queueMs),
    ...keyMetrics(keys),
    keyAgeMetric(shards, now),
    ...(servers === UNAVAILABLE ? [] : serverMetrics(servers)),
  ];
}

/** The day's hours as one. */
function byName(tallies: readonly Tally[] | typeof UNAVAILABLE): Tally[] {
  if (tallies === UNAVAILABLE) return [];
  return [...Map.groupBy(tallies, ({ name }) => name)].map(([name, rows]) => ({ ...sumOf(rows), name }));
}

async function probe(
  store: number,
  db: D1Database,
): Promise<{ readonly store: number; readonly ms: number | undefined }> {
  let ms: number | undefined;
  const answer = await callUpstream('database', () =>
    timed(
      (took) => (ms = took),
      () => askSize(db),
    ),
  );
  return { store, ms: answer === UNAVAILABLE ? undefined : ms };
}

async function timed<Value>(note: (ms: number) => void, work: () => Promise<Value>): Promise<Value> {
  const startedAt = performance.now();
  const value = await work();
  note(performance.now() - startedAt);
  return value;
}
