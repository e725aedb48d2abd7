/**
 * What clients have of services, for those services that say how much one may have. Tasks that have not ended are counted
 * in the stores only when the quota may be used up; in between, what was accepted since is taken for open. So a client
 * below its quota costs no read, and one at its quota is held to it within seconds. Deterministic, without I/O.
 */
import { addStarts, countStarts, forgetStarts, type StartLog } from '../../shared/pace/start-log.ts';
import { type ClientQuota, QUOTA_WINDOW_SECONDS, type QuotaState } from '../../shared/service/client-quota.ts';

const WINDOW_MS = QUOTA_WINDOW_SECONDS * 1000;

/** A task is recorded by then, mostly; what was accepted later is taken for open. */
export const RECORDED_AFTER_MS = 10_000;

/** Between two counts of one client's tasks. */
const RECOUNT_MS = 1_000;

/** What runs may have ended by then. */
const RETRY_OPEN_SECONDS = 5;

const MAX_KNOWN = 10_000;

interface Usage {
  readonly accepted: StartLog;
  /** Open tasks that were accepted before the count's cutoff; undefined: not counted yet. */
  counted: number | undefined;
  countedAt: number;
  /** Accepted after the cutoff. */
  since: number;
}

export class Quotas {
  readonly #usages = new Map<string, Usage>();

  /** True when the tasks must be counted before `admit` can tell. */
  mustCount(name: string, { open }: ClientQuota, wanted: number, now: number): boolean {
    if (open === undefined) return false;
    const { counted, since, countedAt } = this.#of(name, now);
    if (counted === undefined) return true;
    return counted + since + wanted > open && now - countedAt >= RECOUNT_MS;
  }

  /** @param counted open tasks that were created before `now - RECORDED_AFTER_MS` */
  noteCount(name: string, counted: number, now: number): void {
    const usage = this.#of(name, now);
    usage.counted = counted;
    usage.countedAt = now;
    usage.since = countStarts(usage.accepted, now - RECORDED_AFTER_MS);
  }

  admit(name: string, { open, tasksPerMinute }: ClientQuota, wanted: number, now: number): QuotaState {
    const usage = this.#of(name, now);
    const ofOpen = open === undefined ? undefined : Math.max(0, open - (usage.counted ?? 0) - usage.since);
    const inWindow = countStarts(usage.accepted, now - WINDOW_MS);
    const ofTasks = tasksPerMinute === undefined ? undefined : Math.max(0, tasksPerMinute - inWindow);
    const granted = Math.min(wanted, ofOpen ?? wanted, ofTasks ?? wanted);
    if (granted > 0) addStarts(usage.accepted, now, granted);
    usage.since += granted;
    const first = usage.accepted[0];
    // The log keeps starts together, up to a moment ahead.
    const resetMs = first === undefined ? 0 : Math.min(WINDOW_MS, Math.max(0, first.at + WINDOW_MS - now));
    const tasksResetSeconds = resetMs / 1000;
    const isByRate = ofTasks !== undefined && ofTasks < wanted;
    return {
      granted,
      open: ofOpen === undefined ? undefined : ofOpen - granted,
      tasks: ofTasks === undefined ? undefined : ofTasks - granted,
      tasksResetSeconds,
      retryAfterSeconds: isByRate ? Math.max(1, tasksResetSeconds) : RETRY_OPEN_SECONDS,
    };
  }

  #of(name: string, now: number): Usage {
    const known = this.#usages.get(name);
    if (known !== undefined) {
      forgetStarts(known.accepted, now - WINDOW_MS);
      return known;
    }
    if (this.#usages.size >= MAX_KNOWN) this.#forgetIdle(now);
    const usage = { accepted: [], counted: undefined, countedAt: 0, since: 0 };
    this.#usages.set(name, usage);
    return usage;
  }

  /** Who comes again is counted again. */
  #forgetIdle(now: number): void {
    for (const [name, { accepted }] of this.#usages) {
      forgetStarts(accepted, now - WINDOW_MS);
      if (accepted.length === 0) this.#usages.delete(name);
    }
  }
}
