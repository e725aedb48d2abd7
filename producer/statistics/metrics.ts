/** From what is known of tasks, backlog, keys and servers to metrics. Pure. */
import type { KeyView } from '../../shared/key/rpc.ts';
import type { ServerView } from '../../shared/registry/rpc.ts';
import { BUCKET_BOUNDS_MS } from '../../shared/statistics/histogram.ts';
import {
  type Counter,
  counterOf,
  deferralsByReason,
  type Tally,
  waitSumMs,
  waitsByReason,
} from '../../shared/statistics/tally.ts';
import type { StoreStatus } from '../../shared/store/fill.ts';
import { TERMINAL_STATUSES } from '../../shared/task/status.ts';
import type { ShardKeys } from '../keys/keys-of-shards.ts';
import type { Backlog } from '../schema/statistics.ts';
import type { HistogramMetric, Labels, Metric } from './exposition.ts';

const BOUNDS_SECONDS = BUCKET_BOUNDS_MS.map((bound) => bound / 1000);

/** @param tallies one a service, of the present day (UTC): counters start anew at midnight, as after a restart */
export function taskMetrics(tallies: readonly Tally[]): (Metric | HistogramMetric)[] {
  const counter = (name: string, help: string, samples: Metric['samples']): Metric => ({
    name,
    help,
    type: 'counter',
    samples,
  });
  const histogram = (
    name: string,
    help: string,
    read: (tally: Tally) => readonly number[],
    sumMs: Counter,
  ): HistogramMetric => ({
    name,
    help,
    type: 'histogram',
    bounds: BOUNDS_SECONDS,
    samples: tallies.map((tally) => [{ service: tally.name }, read(tally), counterOf(tally, sumMs) / 1000] as const),
  });
  return [
    counter(
      'tasklane_tasks_started_total',
      'Tasks started for the first time.',
      tallies.map((tally) => [{ service: tally.name }, counterOf(tally, 'started')] as const),
    ),
    counter(
      'tasklane_tasks_ended_total',
      'Tasks that ended, by status.',
      tallies.flatMap((tally) =>
        TERMINAL_STATUSES.map((status) => [{ service: tally.name, status }, counterOf(tally, status)] as const),
      ),
    ),
    counter(
      'tasklane_attempts_total',
      'Attempts, by outcome.',
      tallies.flatMap((tally): [Labels, number][] => {
        const failed = counterOf(tally, 'failedAttempts');
        return [
          [{ service: tally.name, outcome: 'failed' }, failed],
          [{ service: tally.name, outcome: 'other' }, counterOf(tally, 'attempts') - failed],
        ];
      }),
    ),
    counter(
      'tasklane_deferrals_total',
      'Times that tasks waited for capacity, by reason.',
      tallies.flatMap((tally) =>
        Object.entries(deferralsByReason(tally)).map(
          ([reason, count]) => [{ service: tally.name, reason }, count] as const,
        ),
      ),
    ),
    {
      name: 'tasklane_wait_seconds',
      help: 'How long tasks waited for capacity, by reason.',
      type: 'histogram',
      bounds: BOUNDS_SECONDS,
      samples: tallies.flatMap((tally) =>
        [...waitsByReason(tally)].map(
          ([reason, counts]) => [{ service: tally.name, reason }, counts, waitSumMs(tally, reason) / 1000] as const,
        ),
      ),
    },
    histogram('tasklane_task_start_seconds', 'From acceptance to the first start.', ({ start }) => start, 'startMs'),
    histogram('tasklane_call_seconds', 'What a call took.', ({ call }) => call, 'callMs'),
    histogram('tasklane_task_end_seconds', 'From acceptance to the end.', ({ total }) => total, 'totalMs'),
  ];
}

export function backlogMetrics({ queues, lines, services }: Backlog, now: number): Metric[] {
  const age = (oldestAt: string) => Math.max(0, (now - Date.parse(oldestAt)) / 1000);
  return [
    gauge('tasklane_queue_messages', 'Messages that wait in a queue.', queues, ({ shard, messages }) => [
      { shard },
      messages,
    ]),
    gauge('tasklane_queue_bytes', 'Bytes that wait in a queue.', queues, ({ shard, bytes }) => [{ shard }, bytes]),
    gauge('tasklane_queue_oldest_seconds', 'Age of the oldest message.', queues, ({ shard, oldestAt }) => [
      { shard },
      oldestAt === undefined ? 0 : age(oldestAt),
    ]),
    gauge('tasklane_line_tasks', 'Tasks that wait for capacity, by line.', lines, ({ line, tasks }) => [
      { line },
      tasks,
    ]),
    gauge('tasklane_line_oldest_seconds', 'Age of the oldest task in a line.', lines, ({ line, oldestAt }) => [
      { line },
      age(oldestAt),
    ]),
    gauge(
      'tasklane_service_waiting_tasks',
      'Tasks of a service that wait for capacity, over all lines.',
      services.flatMap(({ service, reasons }) =>
        Object.entries(reasons).map(([reason, tasks]) => ({ service, reason, tasks })),
      ),
      ({ service, reason, tasks }) => [{ service, reason }, tasks],
    ),
    gauge(
      'tasklane_service_waiting_oldest_seconds',
      'Age of the oldest task of a service that waits for capacity.',
      services,
      ({ service, oldestAt }) => [{ service }, age(oldestAt)],
    ),
    gauge('tasklane_line_tasks_per_second', 'How fast a line moves.', lines, ({ line, perSecond }) => [
      { line },
      perSecond ?? 0,
    ]),
  ];
}

export function storeMetrics(stores: readonly StoreStatus[]): Metric[] {
  const sized = stores.flatMap(({ store, bytes, limitBytes }) =>
    bytes === undefined ? [] : [{ store, bytes, limitBytes }],
  );
  return [
    gauge('tasklane_store_bytes', 'What a store weighs.', sized, ({ store, bytes }) => [{ store }, bytes]),
    gauge('tasklane_store_used_ratio', 'How full a store is, from 0 to 1.', sized, ({ store, bytes, limitBytes }) => [
      { store },
      bytes / limitBytes,
    ]),
    gauge('tasklane_store_state', 'One for the state in which a store is.', stores, ({ store, state }) => [
      { store, state },
      1,
    ]),
  ];
}

/** What claims and settles of the present day met, from the same counts as the tasks'. */
export function durationMetrics(stores: readonly Tally[], queues: readonly Tally[]): HistogramMetric[] {
  return [
    {
      name: 'tasklane_store_statement_seconds',
      help: 'How long a store took to claim or settle a batch.',
      type: 'histogram',
      bounds: BOUNDS_SECONDS,
      samples: stores.map((tally) => {
        const [statement = '', store = ''] = tally.name.split(' ');
        return [{ store, statement }, tally.call, counterOf(tally, 'callMs') / 1000] as const;
      }),
    },
    {
      name: 'tasklane_queue_delivery_seconds',
      help: 'From the sending of a new task to its first delivery, by shard.',
      type: 'histogram',
      bounds: BOUNDS_SECONDS,
      samples: queues.map((tally) => [{ shard: tally.name }, tally.call, counterOf(tally, 'callMs') / 1000] as const),
    },
  ];
}

/** Measured by asking, at this very moment: of whoever did not answer there is no sample. */
export function answerMetrics(
  stores: readonly { readonly store: number; readonly ms: number | undefined }[],
  queueMs: readonly (number | undefined)[],
): Metric[] {
  const answered = stores.flatMap(({ store, ms }) => (ms === undefined ? [] : [{ store, ms }]));
  const queues = queueMs.flatMap((ms, shard) => (ms === undefined ? [] : [{ shard, ms }]));
  return [
    gauge('tasklane_store_answer_seconds', 'How long a store took to answer a question.', answered, ({ store, ms }) => [
      { store },
      ms / 1000,
    ]),
    gauge('tasklane_queue_answer_seconds', 'How long a queue took to answer a question.', queues, ({ shard, ms }) => [
      { shard },
      ms / 1000,
    ]),
  ];
}

/** With many shards they take turns: what is told of a shard's keys is so old. */
export function keyAgeMetric(shards: readonly Pick<ShardKeys, 'shard' | 'at'>[], now: number): Metric {
  const told = shards.flatMap(({ shard, at }) => (at === undefined ? [] : [{ shard, ageMs: now - at }]));
  return gauge(
    'tasklane_key_age_seconds',
    'How old is what is told of the keys of a shard.',
    told,
    ({ shard, ageMs }) => [{ shard }, Math.max(0, ageMs) / 1000],
  );
}

export function keyMetrics(keys: readonly (KeyView & { readonly shard: number })[]): Metric[] {
  const labels = ({ shard, pool, key }: (typeof keys)[number]): Labels => ({ shard, pool, key });
  return [
    gauge('tasklane_key_state', 'One for the state in which an API key is.', keys, (key) => [
      { ...labels(key), state: key.state },
      1,
    ]),
    gauge('tasklane_key_calls_in_flight', 'Calls under way with an API key.', keys, (key) => [
      labels(key),
      key.inFlight,
    ]),
    {
      ...gauge('tasklane_key_calls_total', 'Calls with an API key.', keys, (key) => [labels(key), key.calls]),
      type: 'counter',
    },
    {
      ...gauge('tasklane_key_rate_limited_total', 'Calls that were answered 429.', keys, (key) => [
        labels(key),
        key.rateLimited,
      ]),
      type: 'counter',
    },
  ];
}

export function serverMetrics(servers: readonly ServerView[]): Metric[] {
  const circuits = servers.flatMap(({ id, services }) =>
    services.map(({ name, circuit }) => ({ server: id, service: name, state: circuit.state })),
  );
  return [
    gauge('tasklane_server_state', 'One for the state in which a server is.', servers, ({ id, cluster, state }) => [
      { server: id, cluster, state },
      1,
    ]),
    gauge('tasklane_server_calls_in_flight', 'Calls under way at a server.', servers, ({ id, inFlight }) => [
      { server: id },
      inFlight,
    ]),
    gauge('tasklane_circuit_state', 'One for the state of a circuit.', circuits, (circuit) => [circuit, 1]),
  ];
}

function gauge<Item>(
  name: string,
  help: string,
  items: readonly Item[],
  sample: (item: Item) => readonly [Labels, number],
): Metric {
  return { name, help, type: 'gauge', samples: items.map(sample) };
}
