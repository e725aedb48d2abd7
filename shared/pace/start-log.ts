/**
 * When calls were started, as counts in small steps of time: enough to say how many fell into a window and when there is
 * room again, for any number of calls. Times are rounded up to the step, so that a start never leaves its window too
 * early. Deterministic, without I/O, over a log that its caller owns.
 */

/** Ascending in time. */
export type StartLog = { at: number; count: number }[];

const STEP_MS = 100;

function stepOf(at: number): number {
  return Math.ceil(at / STEP_MS) * STEP_MS;
}

export function addStarts(log: StartLog, at: number, count: number): void {
  const step = stepOf(at);
  let index = log.length;
  while (index > 0 && (log[index - 1]?.at ?? 0) > step) index--;
  const before = log[index - 1];
  if (before?.at === step) before.count += count;
  else log.splice(index, 0, { at: step, count });
}

export function forgetStarts(log: StartLog, before: number): void {
  const kept = log.findIndex((slot) => slot.at > before);
  log.splice(0, kept < 0 ? log.length : kept);
}

export function countStarts(log: StartLog, since: number): number {
  let count = 0;
  for (let index = log.length - 1; index >= 0; index--) {
    const slot = log[index];
    if (slot === undefined || slot.at <= since) break;
    count += slot.count;
  }
  return count;
}

/** When one more start keeps to `limit` in every window: a window after the `limit`th last of them, or now. */
export function nextStartAt(starts: StartLog, limit: number, windowMs: number, now: number): number {
  let left = limit;
  for (let index = starts.length - 1; index >= 0; index--) {
    const slot = starts[index];
    left -= slot?.count ?? 0;
    if (slot !== undefined && left <= 0) return Math.max(now, slot.at + windowMs);
  }
  return now;
}
