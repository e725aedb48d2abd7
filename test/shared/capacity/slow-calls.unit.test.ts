/** Calls that take as long as the limit's period, or longer: when one is known to be let in, the period is over. */
import { expect, test } from 'vitest';
import { Limiter } from '../../../shared/capacity/limiter.ts';

const STEP_MS = 5;
const REFUSED_AFTER_MS = 20;

/** One after the other as soon as they may start. @returns calls a second in the last half minute of three, and the share of refusals */
function drive(
  calls: number,
  windowMs: number,
  callMs: number,
  tells: boolean,
): { readonly pace: number; readonly refused: number } {
  const limiter = new Limiter();
  const ends: { readonly at: number; readonly end: (now: number) => void }[] = [];
  let window = { at: Number.NEGATIVE_INFINITY, calls: 0 };
  const letIn: number[] = [];
  let refused = 0;
  for (let now = 0; now < 180_000; now += STEP_MS) {
    for (const { end } of ends.filter(({ at }) => at === now)) end(now);
    while (limiter.nextAt(now) <= now) {
      const ticket = limiter.start(now);
      if (now >= window.at + windowMs) window = { at: now, calls: 0 };
      window.calls += 1;
      if (window.calls <= calls) {
        letIn.push(now);
        ends.push({ at: now + callMs, end: (at) => limiter.end(ticket, { kind: 'let-in' }, at) });
      } else {
        refused += 1;
        const toldMs = Math.ceil((window.at + windowMs - now) / 1_000) * 1_000;
        const end = (at: number) =>
          limiter.end(ticket, { kind: 'limited', until: tells ? at + toldMs : undefined }, at);
        ends.push({ at: now + REFUSED_AFTER_MS, end });
      }
    }
  }
  return { pace: letIn.filter((at) => at >= 150_000).length / 30, refused: refused / (letIn.length + refused) };
}

test.each([
  [10, 1_000, 3_000],
  [10, 1_000, 1_000],
  [30, 2_000, 3_000],
  [20, 2_500, 2_000],
  [100, 10_000, 5_000],
])('%i calls in %i ms, which take %i ms each, come to their pace', (calls, windowMs, callMs) => {
  for (const tells of [true, false]) {
    const { pace, refused } = drive(calls, windowMs, callMs, tells);
    expect(pace).toBeGreaterThan((0.85 * calls * 1_000) / windowMs);
    expect(refused).toBeLessThan(0.12);
  }
});
