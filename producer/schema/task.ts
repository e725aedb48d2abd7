/** A task as the API shows it, alone and in a list. Times are ISO 8601. */
import { z } from '@hono/zod-openapi';
import { AttemptRecordSchema, TaskErrorSchema } from '../../shared/task/attempt.ts';
import { TASK_METHODS } from '../../shared/task/request.ts';
import { DEFERRAL_REASONS } from '../../shared/task/state.ts';
import { STATUS_WAITS, TASK_STATUSES, TERMINAL_STATUSES } from '../../shared/task/status.ts';
import { OnCompleteSchema } from './submission.ts';

const MAX_WAIT_SECONDS = 30;

const time = () => z.iso.datetime();

/** What a task waits for that is not running. */
const WAIT_REASONS = [...Object.values(STATUS_WAITS), ...DEFERRAL_REASONS] as const;
export type WaitReason = (typeof WAIT_REASONS)[number];

const WaitingForSchema = z
  .object({
    reason: z.enum(WAIT_REASONS).openapi({
      description: 'queue, scheduled, backoff, callback, or why there is no capacity (rate-limited, backend-busy, …).',
      example: 'backoff',
    }),
    until: time().optional().openapi({
      description:
        'When the wait ends, where that is known; of a task in line, an estimate by its place and the pace, or, while nobody knows the pace, when the line moves again at the earliest. Left out once it has come.',
    }),
    ahead: z.number().int().optional().openapi({
      description:
        'Of a task that waits in line for capacity: tasks before it, over all stores; beyond 1,000 in a store, about so many.',
    }),
  })
  .openapi('WaitingFor');

const TimelineEntrySchema = z
  .looseObject({
    at: time(),
    event: z.enum([
      'created',
      'started',
      'attempt-failed',
      'attempt-succeeded',
      'attempt-accepted',
      'retried',
      'deferred',
      'progress',
      ...TERMINAL_STATUSES,
    ]),
  })
  .openapi('TimelineEntry', {
    description: 'What happened, oldest first. Entries of attempts say why they did not succeed and what followed.',
  });

const ErrorSchema = TaskErrorSchema.openapi('TaskError');

const AttemptSchema = z
  .object({
    attempt: z.number().int(),
    outcome: AttemptRecordSchema.shape.outcome,
    startedAt: time(),
    endedAt: time(),
    durationMs: z.number(),
    server: z.string().optional().openapi({ description: 'The id of a server, a host, or a binding.' }),
    key: AttemptRecordSchema.shape.key.openapi({ description: 'The pool and number of the key, never the key.' }),
    httpStatus: z.number().int().optional(),
    error: ErrorSchema.optional(),
    reason: z.string().optional().openapi({ description: 'Why it was deferred.' }),
    nextAttemptAt: time().optional(),
    delaySeconds: z.number().optional(),
    delayReason: z.string().optional(),
    fallback: z.string().optional().openapi({ description: 'The service that took the task after it.' }),
    by: z.string().optional().openapi({ description: 'Who wanted it run again.' }),
  })
  .openapi('Attempt');
export type AttemptView = z.infer<typeof AttemptSchema>;

const RequestSchema = z
  .object({
    method: z.enum(TASK_METHODS).optional().openapi({ description: 'Absent: the default of the service.' }),
    path: z.string().optional(),
    headers: z.record(z.string(), z.string()).optional().openapi({ description: 'What looks like a secret is `***`.' }),
    body: z.unknown().optional(),
    contentType: z.string().optional(),
    bodyEncoding: z.enum(['json', 'text', 'base64']).optional(),
    bodyBytes: z.number().int().optional().openapi({ description: 'Of a body that is too large to be shown.' }),
    bodyUrl: z.string().optional().openapi({ description: 'Where it is downloaded, with the same token.' }),
    bodyRedacted: z.boolean().optional().openapi({ description: 'True: its service keeps bodies out of sight.' }),
    traceId: z.string().openapi({ description: 'The W3C trace that the backend sees.' }),
  })
  .openapi('TaskRequest');
export type RequestView = z.infer<typeof RequestSchema>;

const ProgressReportSchema = z.object({
  at: time(),
  percent: z.number().optional(),
  message: z.string().optional(),
});

export const TaskSummarySchema = z
  .object({
    id: z.string(),
    statusUrl: z.string().optional(),
    subject: z.string().openapi({ description: 'The owner.' }),
    service: z.string().nullable().openapi({ description: 'Null until the task is recorded.' }),
    status: z.enum(TASK_STATUSES),
    attempt: z
      .number()
      .int()
      .openapi({ description: 'The number of the attempt that runs or ran last; a retry by hand goes on counting.' }),
    maxAttempts: z
      .number()
      .int()
      .optional()
      .openapi({ description: 'The number of the last attempt that it may have; a retry by hand adds to it.' }),
    attempts: z.number().int().openapi({ description: 'Attempts in all.' }),
    failures: z.number().int().openapi({ description: 'Failed attempts in all.' }),
    deferrals: z.number().int().openapi({ description: 'Times it waited for capacity without using an attempt.' }),
    createdAt: time(),
    startedAt: time().optional(),
    finishedAt: time().optional(),
    deadlineAt: time().optional(),
    waitingFor: WaitingForSchema.optional(),
    nextAttemptAt: time().optional(),
    progress: z.number().optional().openapi({ description: 'Percent, as the backend last reported it.', example: 40 }),
    progressMessage: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    ref: z.string().optional().openapi({ description: "The client's own number." }),
    group: z.string().optional().openapi({ description: 'The group that it belongs to.' }),
    onComplete: OnCompleteSchema.optional().openapi({
      description: 'Whom its end is told to. The message is the task of its id and `_w1`.',
    }),
    error: ErrorSchema.optional(),
    bodiesDeletedAt: time().optional().openapi({
      description: 'Since when request, result and timeline are gone: BODY_RETENTION_DAYS after the end.',
    }),
  })
  .openapi('TaskSummary');
export type TaskSummary = z.infer<typeof TaskSummarySchema>;

export const TaskSchema = TaskSummarySchema.extend({
  result: z.unknown().optional().openapi({
    description: 'The JSON value, the text, or base64 when resultEncoding says so.',
  }),
  resultContentType: z.string().optional(),
  resultEncoding: z.enum(['json', 'text', 'base64']).optional(),
  resultBytes: z.number().int().optional().openapi({ description: 'Of a result that is too large to be shown.' }),
  resultUrl: z.string().optional().openapi({ description: 'Where it is downloaded, with the same token.' }),
  resultRedacted: z
    .boolean()
    .optional()
    .openapi({ description: 'True: its service shows results to their owner alone.' }),
  request: RequestSchema.optional(),
  attemptLog: z.array(AttemptSchema).openapi({
    description: 'The latest 50 attempts and retries by hand, oldest first, also the one that succeeded.',
  }),
  progressLog: z.array(ProgressReportSchema).optional().openapi({
    description: 'The latest 20 reports of progress of the current attempt, oldest first.',
  }),
  timeline: z.array(TimelineEntrySchema),
}).openapi('Task');
export type TaskView = z.infer<typeof TaskSchema>;
export type TimelineEntry = z.infer<typeof TimelineEntrySchema>;

/** The pattern of ids is not checked here: what is not an id is a task that is not there. */
export const TaskParamsSchema = z.object({
  id: z.string().openapi({
    param: { name: 'id', in: 'path' },
    description: 'The id of the task.',
    example: 'tsk_06fkcm2m9g0000000000000000000000',
  }),
});

export const PollQuerySchema = z.strictObject({
  wait: z.coerce.number().min(0).max(MAX_WAIT_SECONDS).default(0).openapi({
    description: 'Seconds to wait for the end of the task before answering.',
    example: 10,
  }),
});

export const TaskListSchema = z
  .object({
    tasks: z.array(TaskSummarySchema),
    nextCursor: z.string().nullable().openapi({
      description:
        'Where the next page starts; null at the end. A filtered page may be short, or empty, and still have one.',
    }),
  })
  .openapi('TaskList');

export const TaskStatusSchema = z
  .object({
    id: z.string(),
    status: z.enum(TASK_STATUSES),
    statusUrl: z.string(),
    deadlineAt: time().optional().openapi({ description: 'After a retry: the new deadline.' }),
  })
  .openapi('ChangedTask');
