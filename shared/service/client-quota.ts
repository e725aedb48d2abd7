/** How much one client may have of a service, and how it is told: `RateLimit` header fields (IETF draft). Pure. */
import * as z from 'zod';

export const QUOTA_WINDOW_SECONDS = 60;

export const ClientQuotaSchema = z
  .strictObject({
    /** Tasks of a client that have not ended. */
    open: z.number().int().min(1).max(10_000).optional(),
    /** Tasks that a client submits in a minute. */
    tasksPerMinute: z.number().int().min(1).max(1_000_000).optional(),
  })
  .refine(({ open, tasksPerMinute }) => (open ?? tasksPerMinute) !== undefined, {
    message: 'says nothing; give open, tasksPerMinute or both',
  });
export type ClientQuota = z.output<typeof ClientQuotaSchema>;

export interface QuotaState {
  /** Of the tasks that were asked for, those that may be accepted. */
  readonly granted: number;
  /** What is left after them. */
  readonly open: number | undefined;
  readonly tasks: number | undefined;
  /** When the window has room again, seconds. */
  readonly tasksResetSeconds: number;
  /** Seconds after which a repeat makes sense, where not all were granted. */
  readonly retryAfterSeconds: number;
}

/**
 * As draft-ietf-httpapi-ratelimit-headers-09 has them: lists of policies by name, `q` their quota, `w` their window in seconds,
 * `qu` its unit where that is not requests; `r` what is left, `t` the seconds until it is renewed.
 */
export function quotaHeaders(quota: ClientQuota, state: QuotaState): Readonly<Record<string, string>> {
  const { open, tasksPerMinute } = quota;
  const policies = [
    ...(tasksPerMinute === undefined ? [] : [`"tasks";q=${tasksPerMinute};w=${QUOTA_WINDOW_SECONDS}`]),
    ...(open === undefined ? [] : [`"open";q=${open};qu="concurrent-requests"`]),
  ];
  const left = [
    ...(state.tasks === undefined ? [] : [`"tasks";r=${state.tasks};t=${Math.ceil(state.tasksResetSeconds)}`]),
    ...(state.open === undefined ? [] : [`"open";r=${state.open}`]),
  ];
  return { 'ratelimit-policy': policies.join(', '), ratelimit: left.join(', ') };
}
