/** When a task may start and when it must have ended, from what its submission says. Pure. */
import { MAX_DEADLINE_SECONDS } from '../../shared/service/definition.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { TaskSubmission } from '../schema/submission.ts';

/** Relative times count from the creation of the task, which a repeated submission keeps. */
export interface Timing {
  readonly delaySeconds?: number;
  /** Unix ms. */
  readonly runAt?: number;
  /** From the earliest start. */
  readonly deadlineSeconds: number;
  /** Unix ms; instead of `deadlineSeconds`. */
  readonly deadline?: number;
}

export type ReadTiming =
  | { readonly ok: true; readonly timing: Timing }
  | { readonly ok: false; readonly refusal: Refusal };

type Said = Pick<TaskSubmission, 'delaySeconds' | 'runAt' | 'deadline' | 'ttlSeconds' | 'deadlineSeconds'>;

/** Of which one may be said. */
const ENDS = ['deadline', 'ttlSeconds', 'deadlineSeconds'] as const;

/** @param serviceDeadlineSeconds what its service gives a task that says nothing */
export function timingOf(said: Said, serviceDeadlineSeconds: number, now: number): ReadTiming {
  const { delaySeconds, ttlSeconds, deadlineSeconds } = said;
  const runAt = momentOf(said.runAt);
  const deadline = momentOf(said.deadline);
  if (delaySeconds !== undefined && runAt !== undefined) return beside('/runAt', '/delaySeconds');
  const [end, other] = ENDS.filter((name) => said[name] !== undefined);
  if (other !== undefined) return beside(`/${end}`, `/${other}`);
  const timing: Timing = {
    ...(delaySeconds !== undefined && { delaySeconds }),
    ...(runAt !== undefined && { runAt }),
    deadlineSeconds: ttlSeconds ?? deadlineSeconds ?? serviceDeadlineSeconds,
    ...(deadline !== undefined && { deadline }),
  };
  if (deadline !== undefined) {
    const startsAt = startOf(timing, now);
    if (deadline <= startsAt) return invalid('/deadline', 'must be after the time at which the task may start');
    if (deadline > startsAt + MAX_DEADLINE_SECONDS * 1000) {
      return invalid('/deadline', `may be at most ${MAX_DEADLINE_SECONDS} seconds after the task may start`);
    }
  }
  return { ok: true, timing };
}

/** @returns when it ends at the latest, and when it may start where that is later than `createdAt`; Unix ms */
export function timesOf(timing: Timing, createdAt: number): { readonly deadlineAt: number; readonly runAt?: number } {
  const startsAt = startOf(timing, createdAt);
  const deadlineAt = timing.deadline ?? startsAt + Math.ceil(timing.deadlineSeconds * 1000);
  return { deadlineAt, ...(startsAt > createdAt && { runAt: startsAt }) };
}

function startOf({ delaySeconds = 0, runAt }: Timing, createdAt: number): number {
  return Math.max(createdAt, runAt ?? createdAt + Math.ceil(delaySeconds * 1000));
}

function momentOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

function beside(field: string, other: string): ReadTiming {
  return invalid(field, `cannot stand beside ${other}; send one of them`);
}

function invalid(field: string, reason: string): ReadTiming {
  const details = { detail: `${field}: ${reason}`, errors: [{ field, reason }] };
  return { ok: false, refusal: { code: 'invalid-request', details } };
}
