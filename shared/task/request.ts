/** The HTTP request that a task stands for, relative to its service's base URL. */
import * as z from 'zod';
import { ContentSchema } from './content.ts';
import { ServerWishesSchema } from './server-wishes.ts';

export const TASK_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'] as const;

export const TaskRequestSchema = z.object({
  /** The service's default applies when absent. */
  method: z.enum(TASK_METHODS).optional(),
  path: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  body: ContentSchema.optional(),
  /** W3C trace context of the submission, so that the backend's spans join the client's trace. */
  traceparent: z.string().optional(),
  /** Through how many deployments the submission came, or how often through this one (`shared/sync/call.ts`). */
  hops: z.number().int().optional(),
  wishes: ServerWishesSchema.optional(),
});
export type TaskRequest = z.infer<typeof TaskRequestSchema>;
