/**
 * Keys that a backend refuses (401, 402, 403), and tasks that are to blame for it. No I/O; the clock is
 * handed in.
 *
 * A key that refused one task is tried by one call at a time of other tasks, which have not been refused
 * themselves; when it refuses a second one it is out of use for a moment, and longer only where these tasks
 * worked with another key: then it is the key. A task is to blame when two keys refused it which worked for
 * others afterwards. So one bad request never empties a pool, and a pool that all of a sudden refuses
 * everything (unpaid, say) blames nobody: its tasks wait, and what it refused meanwhile is asked once more.
 */

/** After a second refusal; then a share of the time that it has refused everybody, so that it is used soon after its return. */
const FIRST_PAUSE_MS = 50;
const PAUSE_SHARE = 0.1;
const MAX_PAUSE_MS = 600_000;

/** Once tasks that it refused have worked elsewhere: 30 s, 2 min, 8 min, 32 min, 1 h. */
const CONFIRMED_PAUSE_MS = 30_000;
const MAX_CONFIRMED_PAUSE_MS = 3_600_000;

/** Refusals are kept this long; after it, a task may try the key again. */
const REFUSAL_TTL_MS = 3_600_000;
const MAX_REFUSALS = 32;

/** So many tasks in a row: it was not their fault. */
const MANY_TASKS = 3;

/** Less, and tasks that are to blame may be all that came. */
const LONG_OUTAGE_MS = 2_000;

/** A task that another key takes so soon after a refusal shows that it was this key. */
const SAME_TIME_MS = 2_000;

/** With nobody else to try a key, a task that was refused may after this; then after twice the time, and so on. */
const LONE_RETRY_MS = 2_000;
const MAX_LONE_PAUSE_MS = 3_600_000;

/** When all keys refuse, one call tries them no more often than this. */
const OUTAGE_PAUSE_MS = 250;

/** Keys that a task needs to have been refused by, and that worked for others afterwards. */
const KEYS_TO_BLAME = 2;

export interface KeyRefusal {
  readonly task: string;
  /** Start of the latest call that was refused. */
  readonly at: number;
  readonly httpStatus: number;
  /** The task worked with another key afterwards: it was not the task. */
  readonly isCleared: boolean;
  /** All keys refused everybody: it says nothing of the task. */
  readonly isPardoned?: true;
}

export class RefusalState {
  refusals: readonly KeyRefusal[] = [];
  /** Start of the latest call that worked, and of the one before it that was of another task. */
  workedAt = 0;
  /** Tasks that worked elsewhere after this key had refused them, since it last worked. */
  proofs = 0;
  probeAt = 0;
  /** The call that tries it. */
  prober: string | undefined = undefined;
  /** Of the first refusal since it last worked. */
  refusingSince = 0;
  /** While all keys refuse, when the last of them was tried. */
  triedAt = 0;
}

const NONE: readonly KeyRefusal[] = [];

/** Refusals since it last worked: while there is one, only one call at a time uses the key. */
export function pending({ refusals, workedAt }: RefusalState): readonly KeyRefusal[] {
  return refusals.length === 0 ? NONE : refusals.filter(({ at }) => at > workedAt);
}

export function isSuspected(state: RefusalState): boolean {
  return pending(state).length > 0;
}

/** Out of use: it has refused two tasks, or one that works elsewhere, since it last worked. */
export function isRefusing(state: RefusalState): boolean {
  return state.proofs > 0 || pending(state).length > 1;
}

export function noteWorked(state: RefusalState, task: string, startedAt: number): void {
  if (state.prober === task) state.prober = undefined;
  if (startedAt <= state.workedAt) return;
  // It refused everybody for a while, and now it does not: none of those tasks is to blame.
  if (pending(state).length >= MANY_TASKS) {
    state.refusals = state.refusals.filter(({ at }) => at <= state.workedAt || at > startedAt);
  }
  state.workedAt = startedAt;
  if (isSuspected(state)) return;
  state.proofs = 0;
  state.probeAt = 0;
}

/** @returns true when this is what takes it out of use */
export function noteRefused(state: RefusalState, task: string, at: number, httpStatus: number, now: number): boolean {
  const wasRefusing = isRefusing(state);
  const isNew = !hasRefused(state, task);
  if (!isSuspected(state)) state.refusingSince = now;
  const others = state.refusals.filter((refusal) => refusal.task !== task && refusal.at > now - REFUSAL_TTL_MS);
  const refusal = { task, at, httpStatus, isCleared: false };
  state.refusals = [...others, refusal].slice(-MAX_REFUSALS);
  if (state.prober === task) state.prober = undefined;
  // It has worked for another task since: the task is to blame.
  if (state.workedAt >= at) return false;
  // A second refusal of the same task says nothing of the key: others try it no later for it.
  if (isNew) state.probeAt = now + pauseMs(state, now);
  return !wasRefusing && isRefusing(state);
}

function pauseMs(state: RefusalState, now: number): number {
  const { proofs } = state;
  if (proofs > 0) return Math.min(MAX_CONFIRMED_PAUSE_MS, CONFIRMED_PAUSE_MS * 4 ** Math.min(8, proofs - 1));
  return pending(state).length < 2 ? 0 : shareOfOutage(state, FIRST_PAUSE_MS, now);
}

/** The task has worked with another key: what refused it is to blame itself. */
export function clearTask(state: RefusalState, task: string, startedAt: number, now: number): void {
  const refusal = state.refusals.find((each) => each.task === task);
  if (refusal === undefined || refusal.isCleared || refusal.at <= state.workedAt) return;
  // Later it shows nothing: all keys may have refused everybody until then.
  if (startedAt > refusal.at + SAME_TIME_MS) return;
  state.refusals = state.refusals.map((each) => (each === refusal ? { ...each, isCleared: true } : each));
  state.proofs += 1;
  state.probeAt = Math.max(state.probeAt, now + pauseMs(state, now));
}

/** When the task may have a call here, Unix ms. */
export function openAt(state: RefusalState, task: string, isFresh: boolean, now: number): number {
  const { refusals } = state;
  if (refusals.length === 0 && state.prober === undefined) return now;
  const own = refusals.find((refusal) => isOf(refusal, task) && refusal.at > now - REFUSAL_TTL_MS);
  if (!isSuspected(state)) {
    if (own !== undefined) return Infinity;
    // Refused elsewhere: one at a time. Together they would all be refused, and as the key's fault, if it works then.
    return isFresh || state.prober === undefined ? now : now + FIRST_PAUSE_MS;
  }
  if (state.prober !== undefined) return now + FIRST_PAUSE_MS;
  if (isFresh) return Math.max(now, state.probeAt);
  // Nobody else has come to try it: better this one than none.
  const last = refusals.reduce((latest, { at }) => Math.max(latest, at), state.triedAt);
  const pause = Math.min(MAX_LONE_PAUSE_MS, Math.max(LONE_RETRY_MS, last - state.refusingSince));
  return Math.max(now, state.probeAt, last + pause);
}

/** It has refused everybody for long. */
export function isLongOutage(state: RefusalState, now: number): boolean {
  return isSuspected(state) && state.refusingSince <= now - LONG_OUTAGE_MS;
}

/** An outage is over: what was refused in it may be asked again. @param isFirst whether a task was never pardoned before */
export function pardon(state: RefusalState, isFirst: (task: string) => boolean): void {
  const { workedAt } = state;
  // A key that refused many blames none of them, once it works.
  if (pending(state).length >= MANY_TASKS) return;
  state.refusals = state.refusals.map((refusal) =>
    refusal.at > workedAt && isFirst(refusal.task) ? { ...refusal, isPardoned: true } : refusal,
  );
}

/** All keys have refused: the others wait as long as the one that did last. */
export function holdAll(states: Iterable<RefusalState>, isNew: boolean, now: number): void {
  for (const state of states) {
    if (!isRefusing(state)) continue;
    if (isNew) state.probeAt = Math.max(state.probeAt, now + shareOfOutage(state, OUTAGE_PAUSE_MS, now));
    state.triedAt = now;
  }
}

export function hasRefused({ refusals }: RefusalState, task: string): boolean {
  return refusals.length > 0 && refusals.some((refusal) => isOf(refusal, task));
}

/** It refused the task, whenever that was, or anybody since then. */
export function hasRefusedSince({ refusals }: RefusalState, task: string, since: number): boolean {
  return refusals.some((refusal) => refusal.task === task || refusal.at > since);
}

function isOf({ task, isPardoned }: KeyRefusal, asked: string): boolean {
  return task === asked && isPardoned === undefined;
}

function shareOfOutage(state: RefusalState, leastMs: number, now: number): number {
  return Math.min(MAX_PAUSE_MS, Math.max(leastMs, PAUSE_SHARE * (now - state.refusingSince)));
}

/** @returns the status that the task itself is to blame for; undefined as long as that is not shown */
export function blameOf(states: Iterable<RefusalState>, task: string): number | undefined {
  let verified = 0;
  let latest: KeyRefusal | undefined;
  for (const { refusals, workedAt } of states) {
    const refusal = refusals.find((each) => isOf(each, task));
    if (refusal === undefined || workedAt <= refusal.at) continue;
    verified += 1;
    if (latest === undefined || refusal.at > latest.at) latest = refusal;
  }
  return verified >= KEYS_TO_BLAME ? latest?.httpStatus : undefined;
}
