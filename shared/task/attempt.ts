/**
 * What is kept of an attempt, and of the error a task ended with. A retry by hand is kept among the
 * attempts. Texts are bounded; keys and tokens never enter them, of a key only its number.
 */
import * as z from 'zod';
import { ERROR_CLASSES } from './error-class.ts';
import { DEFERRAL_REASONS } from './state.ts';

/** Latest records kept on a task's row; older ones are dropped, their count is kept. */
export const MAX_ATTEMPT_RECORDS = 50;

/** Latest reports of progress kept. */
export const MAX_PROGRESS_REPORTS = 20;

/** Bytes of a backend's error text worth keeping, in characters. */
const MAX_ERROR_MESSAGE_CHARS = 500;

export const TaskErrorSchema = z.object({
  class: z.enum(ERROR_CLASSES),
  message: z.string(),
  httpStatus: z.number().int().optional(),
});
export type TaskError = z.infer<typeof TaskErrorSchema>;

export const AttemptRecordSchema = z.object({
  run: z.number().int(),
  attempt: z.number().int(),
  /** `accepted`: the backend works on and calls back. `retried`: a person wanted it run again. */
  outcome: z.enum(['failed', 'deferred', 'succeeded', 'accepted', 'retried']),
  startedAt: z.number(),
  endedAt: z.number(),
  error: TaskErrorSchema.optional(),
  reason: z.enum(DEFERRAL_REASONS).optional(),
  server: z.string().optional(),
  /** The key that it was called with, by its pool and number. */
  key: z.object({ pool: z.string(), number: z.number().int() }).optional(),
  /** The backend's answer. */
  httpStatus: z.number().int().optional(),
  /** The service that took the task after it. */
  fallback: z.string().optional(),
  /** Who wanted it run again. */
  by: z.string().optional(),
  /** When the next attempt starts, Unix milliseconds, and the delay that was chosen. */
  nextAt: z.number().optional(),
  delayMs: z.number().optional(),
  /** Why that delay: `backoff`, `retry-after`, … */
  delayReason: z.string().optional(),
  /** Of a task that went to stand in line: nobody of it starts sooner, as was known then. Unix milliseconds. */
  opensAt: z.number().optional(),
  /** The shard that said so: where each moves a part of the line, others may go on. */
  opensOn: z.string().optional(),
});
export type AttemptRecord = z.infer<typeof AttemptRecordSchema>;

/** Never cuts through a character that takes two units of UTF-16. */
export function shorten(text: string, maxChars = MAX_ERROR_MESSAGE_CHARS): string {
  if (text.length <= maxChars) return text;
  const end = maxChars - 1;
  const cutsPair = /[\uD800-\uDBFF]/.test(text.charAt(end - 1)) && /[\uDC00-\uDFFF]/.test(text.charAt(end));
  return `${text.slice(0, cutsPair ? end - 1 : end)}…`;
}
