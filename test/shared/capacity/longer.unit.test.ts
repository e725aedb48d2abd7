/** Two limits on one key: so many calls a second, and so many within a minute. */
import { expect, test } from 'vitest';
import { Limiter } from '../../../shared/capacity/limiter.ts';

const STEP_MS = 5;
const CALL_MS = 100;
const REFUSED_AFTER_MS = 20;

interface Limit {
  readonly calls: number;
  readonly windowMs: number;
}

interface Backend {
  readonly limits: (now: number) => readonly Limit[];
  readonly tells: boolean;
  /** Refuses whatever the limits say, and tells so long a wait. */
  readonly strayMs?: (now: number) => number;
}

/** One call after the other as soon as they may start. @returns when calls were let in, and how many were refused */
function drive(
  seconds: number,
  { limits, tells, strayMs }: Backend,
): { readonly letIn: number[]; readonly refused: number } {
  const limiter = new Limiter();
  const ends: { readonly at: number; readonly end: (now: number) => void }[] = [];
  const letIn: number[] = [];
  let refused = 0;
  for (let now = 0; now < seconds * 1_000; now += STEP_MS) {
    while (ends[0] !== undefined && ends[0].at <= now) ends.shift()?.end(now);
    while (limiter.nextAt(now) <= now) {
      const ticket = limiter.start(now);
      const waits = limits(now).map(({ calls, windowMs }) => {
        const first = letIn.at(-calls);
        return first === undefined ? 0 : first + windowMs - now;
      });
      const waitMs = Math.max(strayMs?.(now) ?? 0, ...waits);
      if (waitMs <= 0) letIn.push(now);
      else refused += 1;
      const until = tells ? Math.ceil(waitMs / 1_000) * 1_000 : undefined;
      ends.push(
        waitMs <= 0
          ? { at: now + CALL_MS, end: (at) => limiter.end(ticket, { kind: 'let-in' }, at) }
          : {
              at: now + REFUSED_AFTER_MS,
              end: (at) => limiter.end(ticket, { kind: 'limited', until: until && at + until }, at),
            },
      );
      ends.sort((a, b) => a.at - b.at);
    }
  }
  return { letIn, refused };
}

const within = (calls: number, seconds: number): Limit => ({ calls, windowMs: seconds * 1_000 });
const paceBetween = (letIn: readonly number[], from: number, to: number): number =>
  letIn.filter((at) => at >= from * 1_000 && at < to * 1_000).length / (to - from);

const PAIRS = [
  [within(10, 1), within(60, 30)],
  [within(10, 1), within(100, 60)],
  [within(5, 1), within(60, 60)],
  [within(3, 1), within(20, 20)],
  [within(20, 2), within(120, 60)],
] as const;

test.each(PAIRS.flatMap((pair) => [true, false].map((tells) => [...pair, tells] as const)))(
  '%o and %o, told: %s, come to the pace of the longer',
  (shorter, longer, tells) => {
    const { letIn, refused } = drive(600, { limits: () => [shorter, longer], tells });
    expect(paceBetween(letIn, 0, 600)).toBeGreaterThan((0.87 * longer.calls * 1_000) / longer.windowMs);
    expect(refused / (letIn.length + refused)).toBeLessThan(tells ? 0.05 : 0.12);
  },
);

/** Of a backend with the shorter one alone: times that are told are rounded up, and cost some of it. */
const paceOf = (limit: Limit, tells: boolean): number =>
  paceBetween(drive(300, { limits: () => [limit], tells }).letIn, 100, 300);

test.each([true, false])('the longer one ends, told: %s', (tells) => {
  const shorter = within(10, 1);
  const limits = (now: number) => (now < 200_000 ? [shorter, within(60, 30)] : [shorter]);
  const { letIn } = drive(800, { limits, tells });
  expect(paceBetween(letIn, 600, 800)).toBeGreaterThan(0.95 * paceOf(shorter, tells));
});

test.each([true, false])('the longer one is twice as high, then half of it, told: %s', (tells) => {
  const callsAt = (now: number) => (now >= 200_000 && now < 800_000 ? 120 : 60);
  const limits = (now: number) => [within(10, 1), within(callsAt(now), 30)];
  const { letIn, refused } = drive(1_200, { limits, tells });
  expect(paceBetween(letIn, 500, 800)).toBeGreaterThan(0.82 * 4);
  expect(paceBetween(letIn, 900, 1_200)).toBeGreaterThan(0.75 * 2);
  expect(refused / (letIn.length + refused)).toBeLessThan(tells ? 0.05 : 0.12);
});

test('one stray refusal that tells a minute costs that minute', () => {
  const strayMs = (now: number) => (now >= 100_000 && now < 100_200 ? 60_000 : 0);
  const shorter = within(10, 1);
  const { letIn } = drive(400, { limits: () => [shorter], tells: true, strayMs });
  expect(paceBetween(letIn, 165, 400)).toBeGreaterThan(0.95 * paceOf(shorter, true));
});

test('an hour that is told is only waited for', () => {
  const strayMs = (now: number) => (now >= 100_000 && now < 3_700_000 ? 3_700_000 - now : 0);
  const shorter = within(2, 1);
  const { letIn, refused } = drive(3_900, { limits: () => [shorter], tells: true, strayMs });
  expect(paceBetween(letIn, 3_710, 3_900)).toBeGreaterThan(0.75 * paceOf(shorter, true));
  expect(refused).toBeLessThan(40);
});

test.each([
  ['the call that tries it', []],
  ['the first call of a round', [2_000]],
])('a day that is told to %s, before anything has held for a round, is no period', (_, letIn) => {
  const limiter = new Limiter();
  const call = (at: number, until?: number) =>
    limiter.end(limiter.start(at), until === undefined ? { kind: 'let-in' } : { kind: 'limited', until }, at + 20);
  for (const at of [0, 30, 60, 90, 120]) call(at);
  call(150, 2_000);
  for (const at of letIn) call(at);
  const known = limiter.knownLimits;
  call(6_000, 86_406_000);
  expect(limiter.toldUntil).toBe(86_406_000);
  expect(limiter.knownLimits).toEqual(known);
});

test('a silent backend that is shut for a day is tried every ten minutes at least, and not in a row', () => {
  const limiter = new Limiter();
  // Ten calls a second, for two minutes.
  let now = 0;
  const tried: number[] = [];
  for (; now < 86_400_000; now = Math.max(now + 10, limiter.nextAt(now))) {
    const isIn = now < 120_000 && inLastSecond(tried, now) < 10;
    const ticket = limiter.start(now);
    if (isIn || now >= 120_000) tried.push(now);
    limiter.end(ticket, isIn ? { kind: 'let-in' } : { kind: 'limited' }, now + 5);
  }
  const shut = tried.filter((at) => at >= 120_000);
  const pauses = shut.slice(1).map((at, index) => at - (shut[index] ?? at));
  expect(Math.max(...pauses)).toBeLessThanOrEqual(610_000);
  expect(shut.length).toBeLessThan(200);
});

function inLastSecond(times: readonly number[], now: number): number {
  return times.filter((at) => at > now - 1_000).length;
}
