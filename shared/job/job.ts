/** Jobs: what is done to many tasks at once. Pure. */
import { wholeSeconds } from '../task/backoff.ts';
import { OPEN_STATUSES, RETRYABLE_STATUSES, type TaskStatus, TERMINAL_STATUSES } from '../task/status.ts';

export const JOB_ACTS = ['cancel', 'redrive', 'purge'] as const;
export type JobAct = (typeof JOB_ACTS)[number];

export const JOB_STATUSES = ['running', 'finished', 'aborted'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** Which tasks each act is for; a filter may name some of them. */
export const STATUSES_OF_ACT: Readonly<Record<JobAct, readonly TaskStatus[]>> = {
  cancel: OPEN_STATUSES,
  redrive: RETRYABLE_STATUSES,
  purge: TERMINAL_STATUSES,
};

/**
 * A redrive takes at most this part of what a service is known to bear. The rest is for new tasks; and a queue delays by whole
 * seconds, while a limit is counted in windows that begin anywhere, so what starts in two neighbouring seconds may arrive within
 * one: at more than half of its limit a service may answer 429 though nothing exceeds it on average.
 */
export const REDRIVE_SHARE = 0.5;

/** Calls a second of a service of which nothing is known: neither limits nor a pace. */
export const ASSUMED_PER_SECOND = 10;

/** Tasks that are cancelled or purged in a minute, which calls nobody. */
export const PLAIN_TASKS_A_MINUTE = 20_000;

/** A chunk of a job's tasks lasts ten seconds and more at this pace. */
const SLOW_PER_SECOND = 50;

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

/** @param asked by the caller, for each service; lowers what is known, and is taken where nothing is */
export function redrivePerSecond({ perSecond, isKnown }: StartRate, asked: number | undefined): number {
  // Whole calls in a second, where there are some: one and a half are one in less than the second that a queue can tell.
  const share = (perSecond < 1 ? perSecond : Math.floor(perSecond)) * REDRIVE_SHARE;
  if (asked === undefined) return share;
  return isKnown ? Math.min(asked, share) : asked;
}

/**
 * When tasks may start, in their order, each service at its pace.
 * @param services of the tasks
 * @param until by service: earlier starts are given away; moved on by what is planned here
 * Wake-ups are late by up to a second, which is not the same in the next plan: of a slow service the next start keeps its
 * distance from when the last one really is. With more a second this would cost the pace, and a single one does not matter.
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
  const last = new Map<string, number>();
  const pace = (service: string) => perSecond.get(service) ?? ASSUMED_PER_SECOND;
  for (const service of services) {
    const at = Math.max(now, until.get(service) ?? now);
    if (at >= now + horizonMs) break;
    starts.push(at);
    last.set(service, at);
    until.set(service, at + 1000 / pace(service));
  }
  for (const [service, at] of last) {
    if (pace(service) <= SLOW_PER_SECOND) until.set(service, now + wholeSeconds(at - now) + 1000 / pace(service));
  }
  return starts;
}
