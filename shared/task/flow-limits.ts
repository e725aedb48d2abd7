/** The limits that tasks of a flow share, as people say them and as a task carries them. */
import * as z from 'zod';

const MAX_CONCURRENCY = 100_000;
const MAX_RATE = 1_000_000;
const MAX_PERIOD_SECONDS = 86_400;

const limits = {
  /** Calls at a time. */
  concurrency: z.number().int().min(1).max(MAX_CONCURRENCY).optional(),
  /** Calls a period, evenly. */
  rate: z.number().int().min(1).max(MAX_RATE).optional(),
  periodSeconds: z.number().positive().max(MAX_PERIOD_SECONDS).optional(),
};

interface Rate {
  readonly rate?: number | undefined;
  readonly periodSeconds?: number | undefined;
}

const saysItsRate = ({ rate, periodSeconds }: Rate) => rate !== undefined || periodSeconds === undefined;
const PERIOD_ALONE = { path: ['periodSeconds'], message: 'is the period of a rate; say the rate too' };

export const FlowLimitsSchema = z.strictObject(limits).refine(saysItsRate, PERIOD_ALONE);
export type FlowLimits = z.output<typeof FlowLimitsSchema>;

/** `key` is a submitter's own name of the flow. */
export function flowSchema<Key extends z.ZodType>(key: Key) {
  return z.strictObject({ key, ...limits }).refine(saysItsRate, PERIOD_ALONE);
}

/** Its name is that of `flowName`. */
export const TaskFlowSchema = z.object({ name: z.string().max(200), ...limits });
