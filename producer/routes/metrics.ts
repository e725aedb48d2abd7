/**
 * `GET /metrics`: the deployment as Prometheus reads it. Whoever does not answer in time is missing from
 * the answer, and `tasklane_up` says who did.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { hourOf } from '../../shared/statistics/tally.ts';
import { readStatistics } from '../../shared/store/statistics.ts';
import type { App } from '../app.ts';
import type { Runtime } from '../runtime.ts';
import { answers } from '../schema/problem.ts';
import { readBacklog } from '../statistics/backlog.ts';
import { exposition, type Metric } from '../statistics/exposition.ts';
import { backlogMetrics, keyMetrics, serverMetrics, taskMetrics } from '../statistics/metrics.ts';
import { sumOf } from '../statistics/summary.ts';
import { callUpstream, UNAVAILABLE } from '../upstream.ts';

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
const HOURS_A_DAY = 24;

/** A thousand services for a day. */
const MAX_ROWS = 24_000;

const route = createRoute({
  method: 'get',
  path: '/metrics',
  operationId: 'getMetrics',
  tags: ['statistics'],
  summary: 'Metrics in the text format of Prometheus',
  description: 'Counters start anew at midnight UTC, which a scraper takes for a restart.',
  responses: answers({
    200: {
      description: 'Metrics.',
      content: {
        'text/plain': {
          schema: z.string(),
          example: '# TYPE tasklane_queue_messages gauge\ntasklane_queue_messages{shard="0"} 12\n',
        },
      },
    },
  }),
});

export function addMetrics(app: App): void {
  app.openapi(route, async (c) => {
    const text = exposition(await readMetrics(c.env.runtime, Date.now()));
    return new Response(text, { headers: { 'content-type': CONTENT_TYPE, 'cache-control': 'no-store' } });
  });
}

async function readMetrics({ config }: Runtime, now: number) {
  const hour = hourOf(now);
  const midnight = hour - (hour % HOURS_A_DAY);
  const [tallies, backlog, shards, servers] = await Promise.all([
    callUpstream('database', () => readStatistics(config.stores.control, 'service', midnight, undefined, MAX_ROWS)),
    readBacklog(config.queues, config.stores.all, now),
    Promise.all(
      config.consumers.map(async ({ shard, rpc }) => ({
        shard,
        keys: await callUpstream('consumer', () => rpc.describe()),
      })),
    ),
    callUpstream('registry', () => config.registry.listServers({ subject: '', isAdmin: true })),
  ]);
  const byService =
    tallies === UNAVAILABLE
      ? []
      : [...Map.groupBy(tallies, ({ name }) => name)].map(([name, rows]) => ({ ...sumOf(rows), name }));
  const keys = shards.flatMap(({ shard, keys: views }) =>
    typeof views === 'symbol' ? [] : views.map((view) => ({ ...view, shard })),
  );
  const up: Metric = {
    name: 'tasklane_up',
    help: 'Whether a part of Tasklane answered.',
    type: 'gauge',
    samples: [
      [{ part: 'database' }, tallies === UNAVAILABLE ? 0 : 1],
      [{ part: 'registry' }, servers === UNAVAILABLE ? 0 : 1],
      ...shards.map(({ shard, keys: views }) => [{ part: 'consumer', shard }, views === UNAVAILABLE ? 0 : 1] as const),
    ],
  };
  return [
    up,
    ...taskMetrics(byService),
    ...backlogMetrics(backlog, now),
    ...keyMetrics(keys),
    ...(servers === UNAVAILABLE ? [] : serverMetrics(servers)),
  ];
}
