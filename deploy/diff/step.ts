/**
 * One thing that a deploy does to an account, and why. Each can be done again: a run that ended in the
 * middle is continued by the next, which reads what is there and leaves out what is done.
 */
import type { QueueConsumerSettings, ScriptSettings } from '../account/account.ts';
import type { Migration } from '../account/database.ts';
import type { DesiredWorker } from '../desired.ts';

export type Step = { readonly why: string } & (
  | { readonly kind: 'create-queue'; readonly queue: string; readonly retentionSeconds: number }
  | { readonly kind: 'create-bucket'; readonly bucket: string }
  | { readonly kind: 'create-database'; readonly database: string }
  | { readonly kind: 'migrate'; readonly database: string; readonly migration: Migration }
  | { readonly kind: 'put-secrets' | 'remove-secrets'; readonly worker: string; readonly names: readonly string[] }
  /** With the secrets that are given: they make no version of their own, and come when the code does. */
  | {
      readonly kind: 'upload';
      readonly worker: DesiredWorker;
      readonly appliedTag: string | undefined;
      readonly secrets: readonly string[];
    }
  | { readonly kind: 'set-settings'; readonly worker: string; readonly settings: ScriptSettings }
  | {
      readonly kind: 'attach-queue';
      readonly queue: string;
      readonly worker: string;
      readonly settings: QueueConsumerSettings;
    }
  | { readonly kind: 'set-crons'; readonly worker: string; readonly crons: readonly string[] }
  | { readonly kind: 'set-address'; readonly worker: string; readonly enabled: boolean; readonly previews: boolean }
  | { readonly kind: 'set-domains'; readonly worker: string; readonly domains: readonly string[] }
  /** Waits until the queue is empty, then takes the consumer away; with force, whatever is left in it. */
  | { readonly kind: 'drain-queue'; readonly queue: string; readonly worker: string }
  | { readonly kind: 'detach-queue'; readonly queue: string }
  | { readonly kind: 'delete-queue'; readonly queue: string }
  | { readonly kind: 'delete-worker'; readonly worker: string }
  | { readonly kind: 'delete-database'; readonly database: string }
  | { readonly kind: 'delete-bucket'; readonly bucket: string }
  /** Notes in the store that it gets no new tasks from now on, or that it gets some again. */
  | { readonly kind: 'drain-store' | 'refill-store'; readonly database: string }
);

/** What a step is about, in a word. */
export function targetOf(step: Step): string {
  switch (step.kind) {
    case 'create-queue':
    case 'drain-queue':
    case 'detach-queue':
    case 'delete-queue':
    case 'attach-queue':
      return step.queue;
    case 'create-bucket':
    case 'delete-bucket':
      return step.bucket;
    case 'create-database':
    case 'delete-database':
    case 'drain-store':
    case 'refill-store':
      return step.database;
    case 'migrate':
      return `${step.database} ${step.migration.name}`;
    case 'upload':
      return step.worker.name;
    case 'put-secrets':
    case 'remove-secrets':
    case 'set-settings':
    case 'set-crons':
    case 'set-address':
    case 'set-domains':
    case 'delete-worker':
      return step.worker;
  }
}
