/**
 * A limit that was learnt from being refused: so many calls in a period, whose length lies between two
 * marks. `shutMs` is the longest time after a period's start at which a call was refused all the same;
 * `periodMs` the shortest at which one was let in, or what was told. Pure.
 */

export interface Learnt {
  readonly calls: number;
  readonly shutMs: number;
  /** Infinite as long as no call was let in again. */
  readonly periodMs: number;
  /** The backend said when it ends, rounded up to whole seconds: the shortest that it says is kept, and none is tried. */
  readonly isTold?: boolean;
}

/** A second limit beside it, over a longer time (`longer.ts`). */
export interface Longer {
  readonly calls: number;
  readonly periodMs: number;
  /** So often it is used up before one call more is tried, which shows whether it still stands. */
  readonly patience: number;
}

/** What limits are mostly given for. */
export const USUAL_PERIODS_MS = [1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000, 60_000];

/** A call that arrives sooner after a period's start than the first one did would be refused. */
export const lateMs = (periodMs: number): number => Math.max(50, periodMs * 0.01);

/** So much more may pass between a probe's time and its start. */
const SAME_PERIOD = 1.03;

/** The marks lie so far apart that a call between them says more than patience does. */
const WIDE = 1.2;

/** Times are told in whole seconds, rounded up. */
const TOLD_STEP_MS = 1_000;

/** What is taken for the period where the marks contradict each other. */
const WIDER = 1.15;

/** Marks this close to each other are the same mark. */
const CLOSE = 1.02;

/**
 * @param toldMs from the period's start to when the backend said it ends
 * @param openMs so long after an earlier period's start a call was let in
 * @param isMeasured it may be much shorter than was told
 */
export function firstLearnt(
  calls: number,
  shutMs: number,
  toldMs: number | undefined,
  openMs = Infinity,
  isMeasured = false,
): Learnt {
  if (toldMs === undefined) return { calls, shutMs, periodMs: openMs > shutMs ? openMs : Infinity };
  if (isMeasured) return { calls, shutMs: Math.max(shutMs, toldMs - TOLD_STEP_MS), periodMs: toldMs };
  return { calls, shutMs, periodMs: toldMs, isTold: true };
}

/** Refused so long after the start: the period is longer. */
export function shutAt(learnt: Learnt, elapsedMs: number, toldMs: number | undefined): Learnt {
  const shutMs = Math.max(learnt.shutMs, elapsedMs);
  const isLonger = learnt.periodMs > shutMs * CLOSE;
  if (toldMs === undefined) return { ...learnt, shutMs, periodMs: isLonger ? learnt.periodMs : shutMs * WIDER };
  if (isLonger && learnt.isTold !== true) return { ...learnt, shutMs, periodMs: Math.min(toldMs, learnt.periodMs) };
  return { ...learnt, shutMs, periodMs: Math.max(toldMs, shutMs) };
}

/** Let in so long after the start: the period is no longer than that. A later round, or one that nobody knows, says nothing. */
export function openedAt(learnt: Learnt, elapsedMs: number): Learnt {
  if (elapsedMs <= 0 || elapsedMs >= learnt.periodMs) return learnt;
  return { ...learnt, periodMs: elapsedMs, shutMs: Math.min(learnt.shutMs, elapsedMs * 0.9) };
}

export function isPeriodWide({ shutMs, periodMs, isTold }: Learnt): boolean {
  return isTold !== true && periodMs < Infinity && periodMs > WIDE * shutMs;
}

export function middleMs({ shutMs, periodMs }: Learnt): number {
  return (shutMs + periodMs) / 2;
}

/** The marks say it, or a call was let in when a usual period ended and none before. */
export function isPeriodKnown(learnt: Learnt): boolean {
  const { periodMs } = learnt;
  if (!isPeriodWide(learnt)) return periodMs < Infinity;
  return USUAL_PERIODS_MS.some((usual) => periodMs >= usual && periodMs <= (usual + lateMs(usual)) * SAME_PERIOD);
}

/** Calls a millisecond. */
export function paceOf({ calls, periodMs }: Learnt): number {
  return calls / periodMs;
}

/** What equals have learnt of how long the period is comes together. */
export function mergeLearnt(own: Learnt, other: Learnt): Learnt {
  const shutMs = Math.max(own.shutMs, other.shutMs);
  const periodMs = Math.min(own.periodMs, other.periodMs);
  // What adds nothing leaves a copy a copy, so that it follows when its original hears more.
  if (shutMs === own.shutMs && periodMs === own.periodMs) return own;
  return shutMs * CLOSE < periodMs ? { ...own, shutMs, periodMs } : own;
}
