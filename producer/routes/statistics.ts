/**
 * `GET /api/stats/tasks` and `/api/stats/hourly`: what became of the tasks, what waits, and what would
 * help. From rows that are written with the settles, so a question costs the hours and not the tasks.
 */
import { createRoute } from '@hono/zod-openapi';
import type { DemandView, RegistryRpc } from '../../shared/registry/rpc.ts';
import { hourOf, startOfHour, type Tally } from '../../shared/statistics/tally.ts';
import { readStatistics } from '../../shared/store/statistics.ts';
import { answerJson, unavailable } from '../answer/answer.ts';
import type { App } from '../app.ts';
import { readKeysOfShards } from '../keys/keys-of-shards.ts';
import type { Runtime } from '../runtime.ts';
import { answers, jsonAnswer } from '../schema/problem.ts';
import {
  type Advice,
  type Backlog,
  HourlyQuerySchema,
  HourlyStatsSchema,
  StoreStatsSchema,
  TaskStatsQuerySchema,
  TaskStatsSchema,
} from '../schema/statistics.ts';
import { adviseOnKeys, adviseOnServers, adviseOnWaiting, linesForServers, loadsOf } from '../statistics/advice.ts';
import { readBacklog } from '../statistics/backlog.ts';
import { describeStores } from '../statistics/stores.ts';
import { countsOf, sumOf, trendOf } from '../statistics/summary.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

const DAY_HOURS = 24;
const WEEK_HOURS = 7 * DAY_HOURS;

/** Services whose tasks wait now and whose demand is asked for: each is a question to the registry. */
const MAX_DEMANDS = 10;

/** A hundred services or subjects for a month; what is beyond is left out, the newest hours first kept. */
const MAX_ROWS = 80_000;

const shared = { method: 'get' as const, tags: ['statistics'] };

const tasksRoute = createRoute({
  ...shared,
  path: '/api/stats/tasks',
  operationId: 'getTaskStats',
  summary: 'See what became of the tasks, and what waits',
  request: { query: TaskStatsQuerySchema },
  responses: answers({ 200: jsonAnswer(TaskStatsSchema, 'Counts, latencies, backlog and advice.') }, 'invalid-request'),
});

const hourlyRoute = createRoute({
  ...shared,
  path: '/api/stats/hourly',
  operationId: 'getHourlyStats',
  summary: 'See the counts hour by hour',
  request: { query: HourlyQuerySchema },
  responses: answers({ 200: jsonAnswer(HourlyStatsSchema, 'A row an hour and name.') }, 'invalid-request'),
});

const storesRoute = createRoute({
  ...shared,
  path: '/api/stats/stores',
  operationId: 'getStoreStats',
  summary: 'See how full the stores are, and for how long they last',
  responses: answers({ 200: jsonAnswer(StoreStatsSchema, 'Every store.') }),
});

export function addStatistics(app: App): void {
  app.openapi(storesRoute, async (c) => answerJson({ stores: await describeStores(c.env.runtime, Date.now()) }));

  app.openapi(tasksRoute, async (c) => {
    const { runtime } = c.env;
    const { hours } = c.req.valid('query');
    const now = Date.now();
    const from = hourOf(now) - hours + 1;
    const [tallies, backlog] = await Promise.all([
      callUpstream('database', () =>
        readStatistics(runtime.config.stores.control, 'service', from - WEEK_HOURS, undefined, MAX_ROWS),
      ),
      readBacklog(runtime.config.queues, runtime.config.stores.all, now),
    ]);
    if (tallies === UNAVAILABLE) return unavailable('The statistics cannot be read at the moment.');
    const recent = tallies.filter(({ hour }) => hour >= from);
    const byService = Map.groupBy(recent, ({ name }) => name);
    return answerJson({
      asOf: new Date(now).toISOString(),
      since: new Date(startOfHour(from)).toISOString(),
      total: countsOf(sumOf(recent)),
      services: [...byService].map(([service, rows]) => ({ service, ...countsOf(sumOf(rows)) })),
      trend: {
        dayBefore: trendOf(tallies, now, hours, DAY_HOURS),
        weekBefore: trendOf(tallies, now, hours, WEEK_HOURS),
      },
      backlog,
      advice: await advise(runtime, backlog, tallies, now),
    });
  });

  app.openapi(hourlyRoute, async (c) => {
    const { runtime } = c.env;
    const { by, name, hours } = c.req.valid('query');
    const from = hourOf(Date.now()) - hours + 1;
    const tallies = await callUpstream('database', () =>
      readStatistics(runtime.config.stores.control, by, from, name, MAX_ROWS),
    );
    if (tallies === UNAVAILABLE) return unavailable('The statistics cannot be read at the moment.');
    const rows = tallies.map((tally) => ({
      name: tally.name,
      hour: new Date(startOfHour(tally.hour)).toISOString(),
      ...countsOf(tally),
    }));
    return answerJson({ by, hours: rows });
  });
}

/** Whoever does not answer gives no advice. */
async function advise(
  { config }: Runtime,
  backlog: Backlog,
  tallies: readonly Tally[],
  now: number,
): Promise<Advice[]> {
  const [shards, servers, demands] = await Promise.all([
    backlog.lines.some(({ pool }) => pool !== undefined) ? readKeysOfShards({ config }, now) : [],
    callUpstream('registry', () => config.registry.listServers({ subject: '', isAdmin: true })),
    demandsOf(config.registry, linesForServers(backlog.lines, now)),
  ]);
  const keysByPool = new Map<string, number>();
  for (const { keys = [] } of shards) {
    for (const { pool, state } of keys) {
      if (state !== 'disabled') keysByPool.set(pool, (keysByPool.get(pool) ?? 0) + 1);
    }
  }
  const hour = hourOf(now);
  const loads =
    servers === UNAVAILABLE
      ? []
      : loadsOf(
          servers,
          tallies.filter((tally) => tally.hour === hour - 1 && demands.every(({ service }) => service !== tally.name)),
        );
  return [...adviseOnKeys(backlog.lines, keysByPool, now), ...adviseOnWaiting(demands), ...adviseOnServers(loads)];
}

async function demandsOf(registry: RegistryRpc, services: readonly string[]): Promise<DemandView[]> {
  const answers = await Promise.all(
    services.slice(0, MAX_DEMANDS).map((service) => callUpstream('registry', () => registry.getDemand(service))),
  );
  return answers.flatMap((answer) => (answer !== UNAVAILABLE && answer.ok ? [answer.value] : []));
}
