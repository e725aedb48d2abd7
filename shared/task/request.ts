/** The HTTP request that a task stands for, relative to its service's base URL. */
import * as z from 'zod';
import { AnswerRulesSchema } from './answer-rule.ts';
import type { TaskError } from './attempt.ts';
import { ContentSchema } from './content.ts';
import { ERROR_CLASSES } from './error-class.ts';
import { TaskFlowSchema } from './flow-limits.ts';
import { ServerRequirementsSchema } from './server-requirements.ts';
import { StoredBodySchema } from './stored-body.ts';

export const TASK_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'] as const;

/** Of messages about ends: as `Standard Webhooks` has them, or CloudEvents 1.0. */
export const WEBHOOK_FORMATS = ['standard', 'cloudevents'] as const;

export const TaskRequestSchema = z.object({
  /** The service's default applies when absent. */
  method: z.enum(TASK_METHODS).optional(),
  path: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  body: ContentSchema.optional(),
  /** The body, when it lies in the bucket: then there is no other. */
  storedBody: StoredBodySchema.optional(),
  /** W3C trace context of the submission, so that the backend's spans join the client's trace. */
  traceparent: z.string().optional(),
  tracestate: z.string().optional(),
  /** Through how many deployments the submission came, or how often through this one (`shared/sync/call.ts`). */
  hops: z.number().int().optional(),
  requirements: ServerRequirementsSchema.optional(),
  /** Its turn in a line: 1 before its submitter's others, 3 after everybody's; 2 when absent (`shared/store/turns.ts`). */
  priority: z.number().int().min(1).max(3).optional(),
  /** Tasks that share limits of their own (`shared/flow/flow.ts`). */
  flow: TaskFlowSchema.optional(),
  /** Shorter than the service's. */
  timeoutSeconds: z.number().positive().optional(),
  /** Services that take it in this order when its own has failed; and errors after which that is at once. */
  fallback: z.array(z.string()).optional(),
  fallbackOn: z.array(z.enum(ERROR_CLASSES)).optional(),
  /** Looked at before those of the service. */
  answers: AnswerRulesSchema.optional(),
  /** It delivers a message to a client's receiver, signed for its owner. */
  webhook: z.object({ url: z.string(), owner: z.string(), format: z.enum(WEBHOOK_FORMATS) }).optional(),
});
export type TaskRequest = z.infer<typeof TaskRequestSchema>;

export interface Fallback {
  /** The service that failed; unknown to older releases. */
  readonly from?: string | undefined;
  readonly service: string;
  /** Without further attempts at the service that failed. */
  readonly atOnce: boolean;
}

/** Which service takes the task when an attempt at `service` failed with `error` and no other attempt is left. Pure. */
export function fallbackOf(
  { fallback = [], fallbackOn = [] }: Pick<TaskRequest, 'fallback' | 'fallbackOn'>,
  service: string,
  error: TaskError,
): Fallback | undefined {
  const next = fallback[fallback.indexOf(service) + 1];
  return next === undefined ? undefined : { from: service, service: next, atOnce: fallbackOn.includes(error.class) };
}
