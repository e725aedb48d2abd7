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

/** The marks lie so far apart that a call between them says more than patience does. */
const WIDE = 1.2;

/** What is taken for the period where the marks contradict each other. */
const WIDER = 1.15;

/** Marks this close to each other are the same mark. */
const CLOSE = 1.02;

/** @param toldMs from the period's start to when the backend said it ends */
export function firstLearnt(calls: number, shutMs: number, toldMs: number | undefined): Learnt {
  if (toldMs === undefined) return { calls, shutMs, periodMs: Infinity };
  return { calls, shutMs, periodMs: toldMs, isTold: true };
}

/** Refused so long after the start: the period is longer. */
export function shutAt(learnt: Learnt, elapsedMs: number, toldMs: number | undefined): Learnt {
  const shutMs = Math.max(learnt.shutMs, elapsedMs);
  if (toldMs !== undefined) return { ...learnt, shutMs, periodMs: Math.max(toldMs, shutMs) };
  return { ...learnt, shutMs, periodMs: learnt.periodMs > shutMs * CLOSE ? learnt.periodMs : shutMs * WIDER };
}

/** Let in so long after the start: the period is no longer than that. */
export function openedAt(learnt: Learnt, elapsedMs: number): Learnt {
  if (elapsedMs >= learnt.periodMs) return learnt;
  return { ...learnt, periodMs: elapsedMs, shutMs: Math.min(learnt.shutMs, elapsedMs * 0.9) };
}

export function isPeriodWide({ shutMs, periodMs, isTold }: Learnt): boolean {
  return isTold !== true && periodMs < Infinity && periodMs > WIDE * shutMs;
}

export function middleMs({ shutMs, periodMs }: Learnt): number {
  return (shutMs + periodMs) / 2;
}

/** Calls a millisecond. */
export function paceOf({ calls, periodMs }: Learnt): number {
  return calls / periodMs;
}

/** What equals have learnt of how long the period is comes together. */
export function mergeLearnt(own: Learnt | undefined, other: Learnt): Learnt {
  if (own === undefined) return other;
  const shutMs = Math.max(own.shutMs, other.shutMs);
  const periodMs = Math.min(own.periodMs, other.periodMs);
  // What adds nothing leaves a copy a copy, so that it follows when its original hears more.
  if (shutMs === own.shutMs && periodMs === own.periodMs) return own;
  return shutMs * CLOSE < periodMs ? { ...own, shutMs, periodMs } : own;
}
