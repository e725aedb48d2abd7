/** Jobs: what is done to many tasks at once. Pure. */
import { OPEN_STATUSES, type TaskStatus, TERMINAL_STATUSES } from '../task/status.ts';

export const JOB_ACTS = ['cancel', 'redrive', 'purge'] as const;
export type JobAct = (typeof JOB_ACTS)[number];

export const JOB_STATUSES = ['running', 'finished', 'aborted'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** Which tasks each act is for; a filter may name some of them. */
export const STATUSES_OF_ACT: Readonly<Record<JobAct, readonly TaskStatus[]>> = {
  cancel: OPEN_STATUSES,
  redrive: ['failed', 'expired'],
  purge: TERMINAL_STATUSES,
};

/** Without a word of the caller a redrive takes this part of what a service bears: the rest is for new tasks. */
export const REDRIVE_SHARE = 0.5;

/** Calls a second of a service of which nothing is known: neither limits nor a pace. */
export const ASSUMED_PER_SECOND = 10;

/** Tasks that are cancelled or purged in a minute, which calls nobody. */
export const PLAIN_TASKS_A_MINUTE = 20_000;

const ID_TIME_DIGITS = 12;

/** An id that sorts by time. @param random of letters and digits */
export function jobId(now: number, random: string): string {
  return `job_${now.toString(16).padStart(ID_TIME_DIGITS, '0')}${random}`;
}

export const JOB_ID_PATTERN = /^job_[0-9a-f]{12}[0-9a-f]{8}$/;

/** What a service bears, calls a second; and whether that is known or assumed. */
export interface StartRate {
  readonly perSecond: number;
  readonly isKnown: boolean;
}

/** @param asked by the caller, for each service; what the service bears is never exceeded */
export function redrivePerSecond({ perSecond, isKnown }: StartRate, asked: number | undefined): number {
  if (asked === undefined) return perSecond * REDRIVE_SHARE;
  return isKnown ? Math.min(asked, perSecond) : asked;
}

/**
 * When tasks may start, in their order, each service at its pace.
 * @param services of the tasks
 * @param until by service: earlier starts are given away; moved on by what is planned here
 * @returns as many starts as lie before the horizon: the first task of a service beyond it ends the plan
 */
export function planStarts(
  services: readonly string[],
  perSecond: ReadonlyMap<string, number>,
  until: Map<string, number>,
  now: number,
  horizonMs: number,
): number[] {
  const starts: number[] = [];
  for (const service of services) {
    const at = Math.max(now, until.get(service) ?? now);
    if (at >= now + horizonMs) break;
    starts.push(at);
    until.set(service, at + 1000 / (perSecond.get(service) ?? ASSUMED_PER_SECOND));
  }
  return starts;
}
