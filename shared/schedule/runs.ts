/**
 * When a schedule runs, by croner: a time that a spring skips runs as soon as the clock has moved on, a time
 * that an autumn repeats runs the first time alone, and what repeats within the hour goes on as time does.
 * Pure: `now` is handed in.
 */
import { Cron } from 'croner';

/** A run that is late by no more than this is on time: the sweeper looks every minute. */
const ON_TIME_MS = 90_000;

/** Missed runs are looked at so far back; a schedule that slept for longer has missed more than it can make up for. */
const MAX_MISSED = 1_000;

export interface DueRuns {
  /** To be made now, oldest first: Unix ms of their planned times. */
  readonly runs: readonly number[];
  readonly nextAt: number | undefined;
}

/** What is wrong with an expression or a time zone; undefined when it is good. */
export function cronFault(cron: string, timeZone: string): string | undefined {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch {
    return `timeZone: "${timeZone}" is not a time zone; write one such as Europe/Berlin or UTC`;
  }
  try {
    return nextRun(cron, timeZone, 0) === undefined ? `cron: "${cron}" never runs` : undefined;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return `cron: ${reason}; write five fields, such as "30 2 * * *"`;
  }
}

/** @returns undefined when the schedule never runs again */
export function nextRun(cron: string, timeZone: string, after: number): number | undefined {
  return cronOf(cron, timeZone).nextRun(new Date(after))?.getTime();
}

/**
 * @param nextAt the run that was planned, not after `now`
 * @param catchUp how many missed runs are made up for
 */
export function dueRuns(
  schedule: { readonly cron: string; readonly timeZone: string; readonly catchUp: number },
  nextAt: number,
  now: number,
): DueRuns {
  const cron = cronOf(schedule.cron, schedule.timeZone);
  const following = (after: number) => cron.nextRun(new Date(after))?.getTime();
  const missed: number[] = [];
  const onTime: number[] = [];
  let at: number | undefined = nextAt;
  for (let seen = 0; at !== undefined && at <= now; seen++) {
    if (at > now - ON_TIME_MS) onTime.push(at);
    else missed.push(at);
    // After a long sleep the next of now is enough.
    at = following(seen < MAX_MISSED ? at : Math.max(at, now - ON_TIME_MS));
  }
  const madeUp = schedule.catchUp === 0 ? [] : missed.slice(-schedule.catchUp);
  return { runs: [...madeUp, ...onTime], nextAt: at };
}

function cronOf(cron: string, timeZone: string): Cron {
  // Five fields: by the minute. Croner would take seconds and years, which the sweeper cannot keep to.
  return new Cron(cron, { timezone: timeZone, paused: true, mode: '5-part' });
}
