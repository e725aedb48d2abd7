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
 * As draft-ietf-httpapi-ratelimit-headers-11 has them (sections 3 and 4): lists of policies by name, `q` their quota, `w`
 * their window in seconds, `qu` its unit where that is not requests; `r` what is left, `t` the seconds within which no more
 * than that is. `pk`, the partition, is the service's name as bytes: policies of two services have one name.
 *
 * What is refused names the used-up policies alone: `Retry-After` should not end before a window that is told (section 6).
 */
export function quotaHeaders(
  service: string,
  quota: ClientQuota,
  state: QuotaState,
): Readonly<Record<'ratelimit-policy' | 'ratelimit', string>> {
  const { open, tasksPerMinute } = quota;
  const partition = `pk=:${btoa(service)}:`;
  const policies = [
    ...(tasksPerMinute === undefined ? [] : [`"tasks";q=${tasksPerMinute};w=${QUOTA_WINDOW_SECONDS};${partition}`]),
    ...(open === undefined ? [] : [`"open";q=${open};qu="concurrent-requests";${partition}`]),
  ];
  const isTold = (left: number | undefined): left is number => left !== undefined && (state.granted > 0 || left === 0);
  const left = [
    ...(isTold(state.tasks) ? [`"tasks";r=${state.tasks};t=${Math.ceil(state.tasksResetSeconds)};${partition}`] : []),
    ...(isTold(state.open) ? [`"open";r=${state.open};${partition}`] : []),
  ];
  return { 'ratelimit-policy': policies.join(', '), ratelimit: left.join(', ') };
}

/** The names of the policies that are used up, as the header fields have them. */
export function violatedPolicies({ tasks, open }: QuotaState): string[] {
  return [...(tasks === 0 ? ['tasks'] : []), ...(open === 0 ? ['open'] : [])];
}
