/**
 * A question that takes longer on its way gets nothing: who asked may have gone, and what it asks of may have forgotten
 * that it is over. Longer than any is held, by more than clocks differ.
 */
const AWAITED_MS = 10_000;

/** Until then an answer to what is asked now is read. @param end when it is of no use any more, Unix ms */
export function awaitedUntil(end = Number.POSITIVE_INFINITY): number {
  return Math.min(end, Date.now() + AWAITED_MS);
}
