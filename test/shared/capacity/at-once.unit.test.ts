/** Limits of calls at a time, as they are met by calls that are refused together, end before anybody knows, or take long. */
import { describe, expect, test } from 'vitest';
import { simulate } from '../../../bench/capacity/simulation.ts';
import { Limiter } from '../../../shared/capacity/limiter.ts';

describe('a limit of three calls at a time', () => {
  /** Two rounds of two calls, and then three calls that are under way. */
  function threeUnderWay(): { limiter: Limiter; tickets: number[] } {
    const limiter = new Limiter();
    for (const at of [0, 500]) {
      const round = [limiter.start(at), limiter.start(at)];
      for (const ticket of round) limiter.end(ticket, { kind: 'let-in' }, at + 400);
    }
    return { limiter, tickets: [0, 1, 2].map(() => limiter.start(1_000)) };
  }

  function atOnce(limiter: Limiter, now: number): number {
    let count = limiter.inFlight;
    while (limiter.nextAt(now) <= now && count < 10) {
      limiter.start(now);
      count += 1;
    }
    return count;
  }

  test('is found where two calls beyond it are refused together', () => {
    const { limiter, tickets } = threeUnderWay();
    const beyond = [limiter.start(1_001), limiter.start(1_001)];
    for (const ticket of beyond) limiter.end(ticket, { kind: 'limited' }, 1_010);
    limiter.end(tickets[0] ?? 0, { kind: 'let-in' }, 1_500);
    limiter.end(limiter.start(1_500), { kind: 'let-in' }, 1_900);
    expect(atOnce(limiter, 1_901)).toBe(3);
  });

  test('is found where one of them ended before the refusal was heard of', () => {
    const { limiter, tickets } = threeUnderWay();
    const beyond = limiter.start(1_001);
    limiter.end(tickets[0] ?? 0, { kind: 'let-in' }, 1_050);
    limiter.end(beyond, { kind: 'limited' }, 1_060);
    limiter.end(tickets[1] ?? 0, { kind: 'let-in' }, 1_070);
    limiter.end(limiter.start(1_070), { kind: 'let-in' }, 1_400);
    expect(atOnce(limiter, 1_401)).toBe(3);
  });
});

test('a limit of calls at a time is found where calls take so long that none of the first has ended', () => {
  const limiter = new Limiter();
  const open: { ticket: number; at: number }[] = [];
  let [refused, most] = [0, 0];
  for (let now = 0; now < 60_000; now += 50) {
    while (open[0] !== undefined && open[0].at <= now - 3_000) {
      limiter.end(open.shift()?.ticket ?? 0, { kind: 'let-in' }, now);
    }
    while (limiter.nextAt(now) <= now) {
      const ticket = limiter.start(now);
      if (open.length < 4) open.push({ ticket, at: now });
      else {
        refused += 1;
        limiter.end(ticket, { kind: 'limited' }, now + 10);
      }
    }
    if (now > 20_000) most = Math.max(most, open.length);
  }
  expect(most).toBe(4);
  expect(refused).toBeLessThan(8);
});

test('a limit of calls at a time that was taken for one more is corrected, and not forgotten', () => {
  const limiter = new Limiter();
  limiter.restore({ top: 21 }, 0);
  for (const ticket of [limiter.start(0), limiter.start(0)]) limiter.end(ticket, { kind: 'let-in' }, 100);
  const tickets = Array.from({ length: 20 }, () => limiter.start(200));
  limiter.end(limiter.start(210), { kind: 'limited' }, 220);
  limiter.end(tickets[0] ?? 0, { kind: 'let-in' }, 300);
  limiter.end(limiter.start(300), { kind: 'let-in' }, 380);
  expect(limiter.isAtOnce).toBe(true);
  expect(limiter.nextAt(381)).toBe(381);
  limiter.start(381);
  expect(limiter.nextAt(382)).toBe(Infinity);
});

test('a limit of calls at a time that held each time may become smaller as often as it does', () => {
  const limiter = new Limiter();
  limiter.restore({ top: 10 }, 0);
  let now = 0;
  for (const bears of [9, 8, 7, 6]) {
    for (let call = 0; call < 40; call++, now += 10) limiter.end(limiter.start(now), { kind: 'let-in' }, now + 5);
    const tickets = Array.from({ length: bears }, () => limiter.start(now));
    limiter.end(limiter.start(now), { kind: 'limited' }, now + 5);
    limiter.end(tickets[0] ?? 0, { kind: 'let-in' }, now + 8);
    limiter.end(limiter.start(now + 9), { kind: 'let-in' }, now + 12);
    expect(limiter.snapshot().top).toBe(bears);
    for (const ticket of tickets) limiter.end(ticket, { kind: 'let-in' }, now + 15);
    now += 20;
  }
});

test('what looked like a limit of calls at a time is none once calls beyond it are let in, and equals hear of it', () => {
  const [limiter, equal] = [new Limiter(), new Limiter(1)];
  for (const each of [limiter, equal]) each.restore({ top: 4 }, 0);
  const open: { ticket: number; at: number }[] = [];
  for (let now = 0; now < 30_000; now += 10) {
    while (open[0] !== undefined && open[0].at <= now - 1_000) {
      limiter.end(open.shift()?.ticket ?? 0, { kind: 'let-in' }, now);
    }
    while (limiter.isAtOnce && limiter.nextAt(now) <= now) open.push({ ticket: limiter.start(now), at: now });
  }
  equal.learnFrom(limiter, 30_000);
  expect([limiter.isAtOnce, equal.isAtOnce]).toEqual([false, false]);
});

test('a limit of calls at a time that was proven is found again when it is met', () => {
  const tasks = Array.from({ length: 500 }, () => ({ arrivesAt: 0 }));
  const { ms } = simulate({ limits: { kind: 'at-once', limit: 5 }, keys: [1], latencyMs: 1_000, tasks }, 36);
  expect(ms / (500 / 5) / 1_000).toBeLessThan(1.15);
});
