/** Statistics as the API shows them: counts, latencies, what waits, and what would help. */
import { z } from '@hono/zod-openapi';
import { SHOWN_DAYS, TALLY_KINDS } from '../../shared/statistics/tally.ts';
import { DEFERRAL_REASONS } from '../../shared/task/state.ts';

const MAX_HOURS = 24 * SHOWN_DAYS;

const count = () => z.number().int();
const time = () => z.iso.datetime();

const LatencySchema = z.object({ p50: z.number(), p95: z.number(), p99: z.number() }).openapi('Latency', {
  description: 'Milliseconds, from buckets whose bounds double: within a factor of two, or of 8 ms.',
});
export type Latency = z.infer<typeof LatencySchema>;

export const TaskCountsSchema = z
  .object({
    started: count().openapi({ description: 'Tasks that were started for the first time.' }),
    succeeded: count(),
    failed: count(),
    expired: count(),
    cancelled: count(),
    attempts: count(),
    failedAttempts: count(),
    deferrals: z
      .partialRecord(z.enum(DEFERRAL_REASONS), count())
      .openapi({ description: 'By reason; reasons that did not occur are left out.' }),
    successRate: z.number().nullable().openapi({ description: 'Of the tasks that ended, cancelled ones apart.' }),
    latency: z.object({
      acceptToStartMs: LatencySchema.optional(),
      callMs: LatencySchema.optional(),
      acceptToEndMs: LatencySchema.optional(),
    }),
    waits: z
      .partialRecord(z.enum(DEFERRAL_REASONS), LatencySchema)
      .openapi({ description: 'How long waits for a reason were, in milliseconds, once they were over.' }),
  })
  .openapi('TaskCounts');
export type TaskCounts = z.infer<typeof TaskCountsSchema>;

const waiting = {
  tasks: count(),
  isCounted: z.boolean().openapi({ description: 'False: at least so many. A line is counted up to 100,000 a store.' }),
  oldestAt: time(),
  reasons: z.partialRecord(z.enum(DEFERRAL_REASONS), count()),
  emptyAt: time().optional().openapi({ description: 'At the present pace; absent when nobody knows.' }),
};

export const BacklogSchema = z
  .object({
    queues: z.array(z.object({ shard: count(), messages: z.number(), bytes: z.number(), oldestAt: time().optional() })),
    lines: z
      .array(
        z.object({
          line: z.string(),
          service: z.string().optional(),
          pool: z.string().optional(),
          refused: z.literal(true).optional().openapi({ description: 'Of tasks that keys of the pool refused.' }),
          bucket: z.string().optional(),
          flow: z.string().optional(),
          ...waiting,
          services: z.array(z.string()).openapi({ description: 'Whose tasks stand in it.' }),
          perSecond: z.number().optional(),
        }),
      )
      .openapi({ description: 'Tasks that wait for capacity, by what they wait for; the longest first.' }),
    services: z
      .array(
        z.object({
          service: z.string(),
          ...waiting,
          lines: z.array(z.object({ line: z.string(), tasks: count() })),
        }),
      )
      .openapi({ description: 'The same tasks by service, over all lines.' }),
    unavailableQueues: z.array(count()),
    unavailableStores: z.array(count()),
  })
  .openapi('Backlog');
export type Backlog = z.infer<typeof BacklogSchema>;

export const AdviceSchema = z
  .discriminatedUnion('kind', [
    z.object({
      kind: z.literal('keys'),
      pool: z.string(),
      moreKeys: count(),
      emptyAt: time(),
      soonerAt: time(),
      text: z.string(),
    }),
    z.object({ kind: z.literal('servers'), service: z.string(), servers: count(), needed: count(), text: z.string() }),
  ])
  .openapi('Advice');
export type Advice = z.infer<typeof AdviceSchema>;

const hours = (standard: number) =>
  z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_HOURS)
    .default(standard)
    .openapi({ description: 'Hours back from now, the present one among them.', example: standard });

export const TaskStatsQuerySchema = z.strictObject({ hours: hours(24) });

export const StoreStatsSchema = z
  .object({
    stores: z.array(
      z.object({
        store: z.number().int().openapi({ description: 'Its number, which the ids of its tasks carry.', example: 0 }),
        state: z.enum(['ok', 'nearly-full', 'full', 'away', 'draining']).openapi({
          description: 'Nearly full from 90%, full from 98%; a store that is full, away or draining gets no new tasks.',
        }),
        bytes: count().optional(),
        limitBytes: count(),
        usedPercent: z.number().optional(),
        daysLeft: z.number().optional().openapi({ description: 'Until it is full, at the pace of the last day.' }),
      }),
    ),
  })
  .openapi('StoreStats');

const TrendSchema = z.object({ started: count(), succeeded: count(), failed: count(), expired: count() });
export type Trend = z.infer<typeof TrendSchema>;

export const TaskStatsSchema = z
  .object({
    asOf: time(),
    since: time(),
    total: TaskCountsSchema,
    services: z.array(TaskCountsSchema.extend({ service: z.string() })),
    trend: z.object({ dayBefore: TrendSchema, weekBefore: TrendSchema }).openapi({
      description:
        'As much time, a day and a week earlier: of the hour that was like the present one, the share that has passed.',
    }),
    backlog: BacklogSchema,
    advice: z.array(AdviceSchema),
  })
  .openapi('TaskStats');

export const HourlyQuerySchema = z.strictObject({
  by: z.enum(TALLY_KINDS).default('service'),
  name: z.string().max(256).optional().openapi({ description: 'One service, subject or server alone.' }),
  hours: hours(48),
});

export const HourlyStatsSchema = z
  .object({
    by: z.enum(TALLY_KINDS),
    hours: z.array(TaskCountsSchema.extend({ name: z.string(), hour: time() })),
  })
  .openapi('HourlyStats');
