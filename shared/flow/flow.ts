/**
 * A flow: tasks that share a key of their submitter's choice, and limits of their own. Its calls take places as those of a
 * service do, at an object that looks after the flow alone (`callback/registry/flows.ts`). Pure.
 */
import * as z from 'zod';
import { bucketOf } from '../capacity/line.ts';

/** Objects among which flows are spread: each takes about 1,000 questions a second (Durable Objects limits). */
const FLOW_SHARDS = 16;

const FLOW_KEY_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const MAX_CONCURRENCY = 100_000;
const MAX_RATE = 1_000_000;
const MAX_PERIOD_SECONDS = 86_400;

export const FlowKeySchema = z
  .string()
  .regex(FLOW_KEY_PATTERN, 'a flow key is up to 64 letters, digits, dots, dashes or underscores');

const PERIOD_ALONE = { path: ['periodSeconds'], message: 'is the period of a rate; say the rate too' };

/** As people say it. */
export const FlowLimitsSchema = z
  .strictObject({
    /** Calls at a time. */
    concurrency: z.number().int().min(1).max(MAX_CONCURRENCY).optional(),
    /** Calls a period, evenly. */
    rate: z.number().int().min(1).max(MAX_RATE).optional(),
    periodSeconds: z.number().positive().max(MAX_PERIOD_SECONDS).optional(),
  })
  .refine(({ rate, periodSeconds }) => rate !== undefined || periodSeconds === undefined, PERIOD_ALONE);
export type FlowLimits = z.output<typeof FlowLimitsSchema>;

export const FlowSchema = z
  .strictObject({ key: FlowKeySchema, ...FlowLimitsSchema.shape })
  .refine(({ rate, periodSeconds }) => rate !== undefined || periodSeconds === undefined, PERIOD_ALONE);
export type FlowOfTask = z.output<typeof FlowSchema>;

/** As a task carries it. */
export const TaskFlowSchema = z.object({ name: z.string().max(200), ...FlowLimitsSchema.shape });

/** Keys of submitters do not meet. No service can have such a name, and its line has it too. */
export function flowName(subject: string, key: string): string {
  return `flow:${bucketOf(subject)}/${key}`;
}

export function isFlowName(name: string): boolean {
  return name.startsWith('flow:') && FLOW_KEY_PATTERN.test(name.slice(name.lastIndexOf('/') + 1));
}

/** Whose matter the flow is. */
export function shardOfFlow(name: string): number {
  let sum = 0;
  for (let at = 0; at < name.length; at++) sum = (Math.imul(sum, 31) + name.charCodeAt(at)) >>> 0;
  return sum % FLOW_SHARDS;
}
