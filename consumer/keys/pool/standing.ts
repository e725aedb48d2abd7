/**
 * Keys that a backend refuses (401, 402, 403), and tasks that are to blame for it. Pure.
 *
 * A refused key is taken out of use and tried again with one call of another task, soon at first and
 * then at growing intervals. If that works, the key is back and the refusal counts against the task;
 * if not, it counts against the key. A task that two keys refused which work for others fails, and
 * what only it brought down comes back: one bad request never empties a pool.
 */
import type { Key, Pool, Refusal } from './pool.ts';

/** A first probe at once tells a bad request from a bad key; then 30 s, 2 min, 8 min, 32 min, 1 h. */
const FIRST_PROBE_MS = 2_000;
const SECOND_PROBE_MS = 30_000;
const MAX_PROBE_MS = 3_600_000;

/** Refusals are remembered this long; after it, a task may try the key again. */
const REFUSAL_TTL_MS = 3_600_000;
const MAX_REFUSALS = 16;

/** Keys that may stand refused for one task alone, before others have shown whose fault it is. */
const MAX_LONE_REFUSALS = 2;
/** Without others to show it, the task tries one more key after this; a third one settles it. */
const LONE_PAUSE_MS = 10_000;

function probeDelayMs(probes: number): number {
  return probes === 0 ? FIRST_PROBE_MS : Math.min(MAX_PROBE_MS, SECOND_PROBE_MS * 4 ** Math.min(10, probes - 1));
}

export function noteWorked(key: Key, startedAt: number, wasProbe: boolean): void {
  key.workedAt = Math.max(key.workedAt, startedAt);
  const { standing } = key;
  if (standing.is === 'refused' && (wasProbe || startedAt >= standing.since)) {
    key.standing = { is: 'enabled' };
  }
}

/** @returns true when this is what took the key out of use */
export function noteRefused(key: Key, refusal: Refusal, wasProbe: boolean, now: number): boolean {
  const remembered = key.refusals.filter(({ at, task }) => at > now - REFUSAL_TTL_MS && task !== refusal.task);
  key.refusals = [...remembered, refusal].slice(-MAX_REFUSALS);
  const { standing } = key;
  switch (standing.is) {
    case 'switched-off':
      return false;
    case 'refused': {
      if (!wasProbe) return false;
      const probes = standing.probes + 1;
      key.standing = { ...standing, httpStatus: refusal.httpStatus, probes, probeAt: now + probeDelayMs(probes) };
      return false;
    }
    case 'enabled': {
      // It has worked for another task since: the task is to blame.
      if (key.workedAt >= refusal.at) return false;
      const { httpStatus } = refusal;
      key.standing = { is: 'refused', since: now, httpStatus, probes: 0, probeAt: now + probeDelayMs(0) };
      return true;
    }
  }
}

/** Whether the key may be used at all for this task, and if not, when to look again. */
export function isOpenTo(key: Key, task: string, now: number): boolean {
  switch (key.standing.is) {
    case 'enabled':
      return !hasRefused(key, task, now);
    case 'refused':
      return key.standing.probeAt <= now && key.prober === undefined && !hasRefused(key, task, now);
    case 'switched-off':
      return false;
  }
}

export function hasRefused(key: Key, task: string, now: number): boolean {
  return refusalOf(key, task, now) !== undefined;
}

export function hasBeenRefused(pool: Pool, task: string, now: number): boolean {
  for (const key of pool.keys.values()) if (key.refusals.length > 0 && hasRefused(key, task, now)) return true;
  return false;
}

function refusalOf(key: Key, task: string, now: number): Refusal | undefined {
  return key.refusals.find((refusal) => refusal.task === task && refusal.at > now - REFUSAL_TTL_MS);
}

/** Taken out of use by this task alone, after it had worked for others. */
function isLone(key: Key, task: string): boolean {
  if (key.standing.is !== 'refused' || key.workedAt === 0) return false;
  const since = key.refusals.filter(({ at }) => at > key.workedAt);
  return since.length > 0 && since.every((refusal) => refusal.task === task);
}

export type Judgement =
  | { readonly is: 'innocent' }
  /** It has brought down as many keys as one task may; others have to show whose fault that is. */
  | { readonly is: 'suspect'; readonly until: number }
  /** The task itself is what the backend refuses. */
  | { readonly is: 'guilty'; readonly httpStatus: number };

/** Judges a task by the keys that refused it; the keys of a guilty one come back. */
export function judge(pool: Pool, task: string, now: number): Judgement {
  let verified = 0;
  let lone = 0;
  let latest: Refusal | undefined;
  for (const key of pool.keys.values()) {
    if (key.refusals.length === 0) continue;
    const refusal = refusalOf(key, task, now);
    if (refusal === undefined) continue;
    if (latest === undefined || refusal.at > latest.at) latest = refusal;
    if (key.workedAt >= refusal.at) verified += 1;
    else if (isLone(key, task)) lone += 1;
  }
  if (latest === undefined) return { is: 'innocent' };
  if (verified >= MAX_LONE_REFUSALS || verified + lone > MAX_LONE_REFUSALS) {
    for (const key of pool.keys.values()) if (isLone(key, task)) key.standing = { is: 'enabled' };
    return { is: 'guilty', httpStatus: latest.httpStatus };
  }
  const until = latest.at + LONE_PAUSE_MS;
  return lone >= MAX_LONE_REFUSALS && until > now ? { is: 'suspect', until } : { is: 'innocent' };
}
