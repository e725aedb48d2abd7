/** Groups as their owners see them. */
import { z } from '@hono/zod-openapi';
import { TERMINAL_STATUSES, type TerminalStatus } from '../../shared/task/status.ts';
import { GroupIdSchema, OnCompleteSchema } from './submission.ts';

const MAX_WAIT_SECONDS = 30;
const MAX_LISTED = 200;
const DEFAULT_LISTED = 50;

const time = () => z.iso.datetime();

export const GroupParamsSchema = z.object({
  id: GroupIdSchema.openapi({ param: { name: 'id', in: 'path' }, example: 'night-7' }),
});

const subject = z
  .string()
  .min(1)
  .max(255)
  .optional()
  .openapi({ description: 'For administrators and viewers: whose group.' });

export const GroupQuerySchema = z.strictObject({ subject });

export const PollGroupQuerySchema = z.strictObject({
  subject,
  wait: z.coerce.number().min(0).max(MAX_WAIT_SECONDS).default(0).openapi({
    description: 'Seconds: the answer comes when the group has ended, or after so long.',
    example: 30,
  }),
});

export const GroupListQuerySchema = z.strictObject({
  subject,
  before: z.iso
    .datetime({ offset: true, error: 'must be a time such as 2026-11-27T08:00:00Z' })
    .optional()
    .openapi({ description: 'Created before this time: createdAt of the last group of the page before.' }),
  limit: z.coerce.number().int().min(1).max(MAX_LISTED).default(DEFAULT_LISTED),
});

export const GroupDefinitionSchema = z
  .strictObject({ id: GroupIdSchema, onComplete: OnCompleteSchema.optional() })
  .openapi('GroupDefinition', {
    example: { id: 'night-7', onComplete: { url: 'https://hooks.example.com/tasks' } },
  });

const count = () => z.number().int();

export const GroupSchema = z
  .object({
    id: z.string(),
    subject: z.string().openapi({ description: 'The owner.' }),
    status: z.enum(['open', 'closed', 'ended']).openapi({
      description:
        'open: more tasks may come. closed: none may, and some have not ended. ended: closed, and all of its tasks have ended.',
    }),
    total: count().openapi({ description: 'Tasks that belong to it.' }),
    done: count().openapi({ description: 'Those that have ended.' }),
    progress: z.number().openapi({ description: 'Percent of its tasks that have ended.' }),
    counts: z.object({
      open: count().openapi({ description: 'Not ended; GET /api/tasks/count?group= counts them by status.' }),
      ...(Object.fromEntries(TERMINAL_STATUSES.map((status) => [status, count()])) as Record<
        TerminalStatus,
        ReturnType<typeof count>
      >),
    }),
    createdAt: time(),
    closedAt: time().optional(),
    endedAt: time().optional().openapi({ description: 'Stays, also when a task of it is retried by hand afterwards.' }),
    cancelledAt: time().optional().openapi({ description: 'When its cancellation was asked for.' }),
    onComplete: OnCompleteSchema.optional(),
    messageId: z
      .string()
      .optional()
      .openapi({ description: 'The task that tells of its end, where somebody is told.' }),
    groupUrl: z.string(),
  })
  .openapi('Group', {
    example: {
      id: 'night-7',
      subject: 'alice',
      status: 'closed',
      total: 500,
      done: 120,
      progress: 24,
      counts: { open: 380, succeeded: 117, failed: 3, cancelled: 0, expired: 0 },
      createdAt: '2026-11-27T01:00:00.000Z',
      closedAt: '2026-11-27T01:00:01.000Z',
      onComplete: { url: 'https://hooks.example.com/tasks', on: ['succeeded', 'failed'], format: 'standard' },
      groupUrl: 'https://tasks.example.com/api/groups/night-7',
    },
  });
export type GroupView = z.infer<typeof GroupSchema>;

export const GroupListSchema = z.object({ groups: z.array(GroupSchema) }).openapi('GroupList');
