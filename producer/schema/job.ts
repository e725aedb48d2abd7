/** Jobs as they are asked for and shown: what is done to many tasks at once. */
import { z } from '@hono/zod-openapi';
import { JOB_ACTS, JOB_ID_PATTERN, JOB_STATUSES, PLAIN_TASKS_A_MINUTE, REDRIVE_SHARE } from '../../shared/job/job.ts';
import { TaskFiltersSchema } from './find.ts';

const EXAMPLE_ID = 'job_019a8c2e4f003d92a1bf';

const time = () => z.iso.datetime();

const common = {
  filter: TaskFiltersSchema.refine((filter) => Object.values(filter).some((value) => value !== undefined), {
    message: 'names nothing; say which tasks are meant, such as { "after": "2026-11-26T00:00:00Z" }',
  }).openapi({ description: 'As in GET /api/tasks; only tasks that are recorded when the job is made.' }),
  dryRun: z.boolean().default(false).openapi({ description: 'True: only says what would be done.' }),
};

export const JobRequestSchema = z.strictObject(common).openapi('JobRequest', {
  example: { filter: { service: 'ocr', label: ['customer:acme'] }, dryRun: true },
});

export const RedriveRequestSchema = z
  .strictObject({
    ...common,
    perSecond: z
      .number()
      .positive()
      .max(10_000)
      .optional()
      .openapi({
        description:
          `Tasks a second and service, at most ${REDRIVE_SHARE * 100}% of what the service is known to bear, which is also the ` +
          'pace without it.',
        example: 5,
      }),
  })
  .openapi('RedriveRequest', {
    example: { filter: { service: 'ocr', after: '2026-11-26T00:00:00+01:00', before: '2026-11-27T00:00:00+01:00' } },
  });

const isCounted = z.boolean().openapi({ description: 'False: there are more, and counting them all would take long.' });

export const JobEstimateSchema = z
  .object({
    act: z.enum(JOB_ACTS),
    count: z.number().int(),
    isCounted,
    seconds: z.number().openapi({ description: "How long it would take at today's limits." }),
    dollars: z.number().openapi({ description: "At Cloudflare's list prices, the tasks' own next run included." }),
    services: z.array(
      z.object({
        service: z.string(),
        count: z.number().int(),
        perSecond: z.number().optional().openapi({ description: 'The pace of a redrive.' }),
        isAssumed: z.boolean().optional().openapi({ description: 'True: nothing is known of its limits.' }),
      }),
    ),
  })
  .openapi('JobEstimate', {
    example: {
      act: 'redrive',
      count: 1250,
      isCounted: true,
      seconds: 250,
      dollars: 0.0065,
      services: [{ service: 'ocr', count: 1250, perSecond: 5 }],
    },
  });

export const JobSchema = z
  .object({
    id: z.string(),
    act: z.enum(JOB_ACTS),
    status: z.enum(JOB_STATUSES),
    subject: z.string().openapi({ description: 'Who asked.' }),
    filter: z.record(z.string(), z.unknown()),
    perSecond: z.number().optional(),
    count: z.number().int().openapi({ description: 'Tasks that were found when it was made.' }),
    isCounted,
    done: z.number().int(),
    skipped: z
      .number()
      .int()
      .openapi({ description: 'Not as the job needs them any more: ended meanwhile, or without their request.' }),
    createdAt: time(),
    finishedAt: time().optional(),
  })
  .openapi('Job', {
    example: {
      id: EXAMPLE_ID,
      act: 'redrive',
      status: 'running',
      subject: 'alice',
      filter: { service: 'ocr' },
      count: 1250,
      isCounted: true,
      done: 500,
      skipped: 0,
      createdAt: '2026-11-27T08:00:00.000Z',
    },
  });
export type JobDocument = z.infer<typeof JobSchema>;

export const JobListSchema = z
  .object({ jobs: z.array(JobSchema), nextCursor: z.string().nullable() })
  .openapi('JobList', { description: 'Newest first.' });

const jobId = z.string().regex(JOB_ID_PATTERN, 'is not the id of a job');

export const JobParamsSchema = z.object({
  id: z.string().openapi({ param: { name: 'id', in: 'path' }, description: 'The id of the job.', example: EXAMPLE_ID }),
});

export const JobListQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: jobId.optional().openapi({ description: 'nextCursor of the answer before.' }),
});

/** What is said of jobs that call nobody. */
export const PLAIN_PACE = `${PLAIN_TASKS_A_MINUTE.toLocaleString('en')} tasks a minute`;
