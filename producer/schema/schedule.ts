/** Schedules as clients define and see them. */
import { z } from '@hono/zod-openapi';
import { TaskSubmissionSchema } from './submission.ts';

const MAX_CATCH_UP = 100;

const time = () => z.iso.datetime();

const ScheduleNameSchema = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'a name is up to 63 lower-case letters, digits and dashes');

const OVERLAPS = ['skip', 'queue', 'cancel-older'] as const;

export const ScheduleDefinitionSchema = z
  .strictObject({
    name: ScheduleNameSchema,
    cron: z.string().min(1).max(200).openapi({
      description: 'Minute, hour, day of the month, month, day of the week.',
      example: '30 2 * * *',
    }),
    timeZone: z.string().min(1).max(64).default('UTC').openapi({ example: 'Europe/Berlin' }),
    task: TaskSubmissionSchema.openapi({ description: 'What is submitted at each run, as in POST /api/task.' }),
    overlap: z
      .enum(OVERLAPS)
      .default('skip')
      .openapi({ description: 'When the run before has not ended: leave this one out, add it, or cancel the older.' }),
    catchUp: z
      .union([z.enum(['none', 'one']), z.strictObject({ upTo: z.number().int().min(1).max(MAX_CATCH_UP) })])
      .default('none')
      .openapi({ description: 'Runs that were missed and are made up for, the latest of them.' }),
  })
  .openapi('ScheduleDefinition', {
    example: {
      name: 'nightly-report',
      cron: '30 2 * * *',
      timeZone: 'Europe/Berlin',
      task: { service: 'echo', payload: { report: 'daily' } },
      overlap: 'skip',
      catchUp: 'one',
    },
  });

export const ScheduleSchema = z
  .object({
    name: z.string(),
    subject: z.string().openapi({ description: 'The owner.' }),
    cron: z.string(),
    timeZone: z.string(),
    task: z.record(z.string(), z.unknown()),
    overlap: z.enum(OVERLAPS),
    catchUp: z.union([z.enum(['none', 'one']), z.object({ upTo: z.number().int() })]),
    paused: z.boolean(),
    nextRunAt: time().optional(),
    lastRunAt: time().optional(),
    lastTaskId: z.string().optional(),
    lastError: z.string().optional().openapi({ description: 'Why the last run made no task.' }),
  })
  .openapi('Schedule');
export type ScheduleDocument = z.infer<typeof ScheduleSchema>;

export const ScheduleListSchema = z.object({ schedules: z.array(ScheduleSchema) }).openapi('ScheduleList');

export const ScheduleRunSchema = z
  .object({ name: z.string(), taskId: z.string(), statusUrl: z.string() })
  .openapi('ScheduleRun');

export const ScheduleParamsSchema = z.object({
  name: ScheduleNameSchema.openapi({ param: { name: 'name', in: 'path' }, example: 'nightly-report' }),
});

export const ScheduleQuerySchema = z.strictObject({
  subject: z.string().max(256).optional().openapi({ description: 'For administrators and viewers: whose schedule.' }),
});
