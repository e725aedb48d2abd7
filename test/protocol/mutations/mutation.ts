/**
 * A rule taken out: a small edit of the source under which the tests of the rule must fail. `from`
 * stands exactly once in its file; an edit that no longer applies is an error, so that the lists
 * follow the code.
 */

export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Mutation {
  readonly rule: string;
  /** What the edit takes out. */
  readonly out: string;
  readonly edits: readonly Edit[];
}

export interface Row {
  /** The beginning of the tests' names: a `describe`. */
  readonly name: string;
  readonly file:
    | `${'rules' | 'schedules'}/${string}.test.ts`
    | 'messages.test.ts'
    | 'groups.test.ts'
    /** Where a part by itself is held to its rule. */
    | `../${string}.test.ts`;
  readonly mutations: readonly Mutation[];
}

export const CLAIM = 'shared/store/claim.ts';
export const TRANSITION = 'shared/task/transition.ts';
export const TRANSITIONS = 'shared/store/transitions.ts';
export const TASK_REQUESTS = 'callback/task-requests.ts';
export const SWEEP = 'callback/sweep/sweep.ts';
export const DECISION = 'callback/sweep/sweep-decision.ts';
export const DELIVERIES = 'consumer/delivery/deliveries.ts';
export const KEY_LEASE = 'consumer/keys/pool/lease.ts';
export const PLACE_SOURCE = 'consumer/capacity/place-source.ts';

export function mutation(rule: string, out: string, file: string, from: string, to: string): Mutation {
  return { rule, out, edits: [{ file, from, to }] };
}
