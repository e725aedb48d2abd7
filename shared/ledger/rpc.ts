/**
 * What the producer asks of the callback Worker, which alone moves recorded tasks. Authentication
 * and ownership are the producer's business; the attempt's token is checked behind this RPC.
 */

import * as z from 'zod';
import type { SecretReport } from '../auth/secret-strength.ts';
import { LINK_ACTIONS } from '../bodies/link.ts';
import type { StartRate } from '../job/job.ts';
import { NewTaskSchema } from '../message/task-message.ts';
import type { GroupRow } from '../store/groups.ts';
import { ContentSchema } from '../task/content.ts';
import { StoredBodySchema } from '../task/stored-body.ts';

const id = NewTaskSchema.shape.id;

export const CancelRequestSchema = z.object({
  id,
  /** The owner, for the tombstone of a task that has no row yet. */
  subject: z.string(),
  /** False: only a recorded task may be cancelled (an admin's request, whose id cannot be checked). */
  plantTombstone: z.boolean(),
});
export type CancelRequest = z.infer<typeof CancelRequestSchema>;

export const RetryRequestSchema = z.object({
  id,
  /** The new deadline, Unix milliseconds; when absent the task gets as long as it was given at first. */
  deadlineAt: z.number().optional(),
  /** Who asks. */
  by: z.string().optional(),
});
export type RetryRequest = z.infer<typeof RetryRequestSchema>;

export const GroupRequestSchema = z.object({
  subject: z.string(),
  name: z.string(),
  /** In which it is. */
  store: z.number().int(),
  /** `cancel` closes it too. */
  act: z.enum(['close', 'cancel']),
});
export type GroupRequest = z.infer<typeof GroupRequestSchema>;

export const CallbackReportSchema = z.object({
  id,
  token: z.string(),
  report: z.discriminatedUnion('status', [
    z.object({
      status: z.literal('succeeded'),
      result: ContentSchema.optional(),
      /** Or where it lies, when it is too large for a row. */
      storedResult: StoredBodySchema.optional(),
    }),
    z.object({ status: z.literal('failed'), message: z.string(), retryable: z.boolean() }),
    z.object({
      status: z.literal('running'),
      percent: z.number().min(0).max(100).optional(),
      message: z.string().optional(),
    }),
  ]),
});
export type CallbackReport = z.infer<typeof CallbackReportSchema>;

export const ReporterSchema = z.object({ id, token: z.string() });
/** Who wants to report a large result: asked before it is taken. */
export type Reporter = z.infer<typeof ReporterSchema>;

export const BackendLinkSchema = z.object({
  id,
  /** Of the attempt that the link was made for. */
  run: z.number().int().min(1),
  claims: z.object({
    action: z.enum(LINK_ACTIONS),
    key: z.string(),
    expires: z.number().int(),
    more: z.array(z.string()).optional(),
  }),
  signature: z.string(),
});
export type BackendLink = z.infer<typeof BackendLinkSchema>;

/** `status` is where the task stands now; `changed` is false when it already stood there. */
export type LedgerAnswer =
  | {
      readonly ok: true;
      readonly status: string;
      readonly changed: boolean;
      /** Of a task that runs again: its new deadline. */
      readonly deadlineAt?: number;
    }
  | {
      readonly ok: false;
      readonly code: 'task-not-found' | 'unauthenticated' | 'stale-attempt' | 'task-finished' | 'not-retryable';
      readonly detail: string;
    };

export interface CallbackRpc {
  /** Ends the task as `cancelled`; `task-finished` when it had ended otherwise. Safe to repeat. */
  cancelTask(request: CancelRequest): Promise<LedgerAnswer>;
  /** Makes a failed or expired task due again, with fresh attempts and a new deadline. */
  retryTask(request: RetryRequest): Promise<LedgerAnswer>;
  /** Begins, or goes on with, jobs; the minute's round does the rest. */
  runJobs(): Promise<void>;
  /** Calls a second that services bear, and whether that is known. */
  serviceRates(services: readonly string[]): Promise<ReadonlyMap<string, StartRate>>;
  /** How its secrets look, for the deployment's checklist, and which of a rotation are still accepted. */
  reportSecrets(): Promise<{ readonly secrets: readonly SecretReport[]; readonly previous: readonly string[] }>;
  /** Closes a group, or cancels its tasks. Safe to repeat. @returns undefined when there is no such group */
  changeGroup(request: GroupRequest): Promise<GroupRow | undefined>;
  /** A backend's word on the run that the token was given to. Safe to repeat. */
  acceptCallback(report: CallbackReport): Promise<LedgerAnswer>;
  /** Whether a result of this reporter would be taken now. Changes nothing. */
  mayReport(reporter: Reporter): Promise<LedgerAnswer>;
  /** Whether a link was made for an attempt of the task. */
  isBackendLink(link: BackendLink): Promise<boolean>;
}
