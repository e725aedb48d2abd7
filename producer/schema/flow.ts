/** Flows as their submitters see and change them. */
import { z } from '@hono/zod-openapi';
import { FlowKeySchema } from '../../shared/flow/flow.ts';
import { FlowLimitsSchema } from '../../shared/task/flow-limits.ts';

export const FlowParamsSchema = z.object({
  key: FlowKeySchema.openapi({ param: { name: 'key', in: 'path' }, example: 'customer-acme' }),
});

export const FlowQuerySchema = z.strictObject({
  subject: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .openapi({ description: 'For administrators and viewers: whose flow.' }),
});

export const FlowListQuerySchema = z.strictObject({
  subject: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .openapi({ description: 'For administrators and viewers: whose flows; those of everybody when absent.' }),
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: z
    .string()
    .max(400)
    .regex(/^flow:/, 'is not a cursor of this list; take nextCursor of the page before')
    .optional()
    .openapi({ description: 'nextCursor of the answer before.' }),
});

export const FlowBodySchema = FlowLimitsSchema.meta({
  id: 'FlowLimits',
  example: { concurrency: 2, rate: 100, periodSeconds: 60 },
});

export const FlowDocumentSchema = z
  .object({
    key: z.string(),
    subject: z.string().openapi({
      description:
        "Whose tasks are in it; shortened in a list of everybody's where it is long or has unusual characters.",
    }),
    concurrency: z.number().int().optional().openapi({ description: 'Calls at a time.' }),
    rate: z.number().int().optional().openapi({ description: 'Calls in a period, evenly.' }),
    periodSeconds: z.number().optional(),
    source: z
      .enum(['api', 'task'])
      .openapi({ description: 'Who said the limits: PUT, which wins, or the newest task.' }),
    paused: z.boolean(),
    pause: z.object({ until: z.iso.datetime().optional(), reason: z.string().optional() }).optional(),
    inFlight: z.number().int().openapi({ description: 'Calls under way.' }),
    waiting: z.number().int().openapi({ description: 'Tasks that wait in its line, up to 10,000 a store.' }),
  })
  .openapi('Flow', {
    example: {
      key: 'customer-acme',
      subject: 'alice',
      concurrency: 2,
      rate: 100,
      periodSeconds: 60,
      source: 'task',
      paused: false,
      inFlight: 2,
      waiting: 40,
    },
  });

export const FlowListSchema = z
  .object({ flows: z.array(FlowDocumentSchema), nextCursor: z.string().nullable() })
  .openapi('FlowList', { description: 'By owner and key.' });
