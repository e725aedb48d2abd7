import { describe, expect, test } from 'vitest';
import { Limiter } from '../../../shared/capacity/limiter.ts';

/** Starts calls as soon as they may start, one after the other, against `answer`; each takes 20 ms. */
function drive(
  limiter: Limiter,
  answer: (at: number) => 'ok' | number | 'refused',
  from: number,
  until: number,
): { letIn: number[]; refused: number[]; end: number } {
  const letIn: number[] = [];
  const refused: number[] = [];
  let now = from;
  while (now < until) {
    const at = limiter.nextAt(now);
    if (at > now) {
      if (at >= until) return { letIn, refused, end: now };
      now = at;
      continue;
    }
    const ticket = limiter.start(now);
    const said = answer(now);
    const startedAt = now;
    now += 20;
    if (said === 'ok') {
      letIn.push(startedAt);
      limiter.end(ticket, { kind: 'let-in' }, now);
    } else {
      refused.push(startedAt);
      limiter.end(ticket, { kind: 'limited', until: said === 'refused' ? undefined : startedAt + said }, now);
    }
  }
  return { letIn, refused, end: now };
}

/** A window of so many calls, which opens with the first call after the last one. */
function fixedWindow(calls: number, windowMs: number, tells = true) {
  let from = Number.NEGATIVE_INFINITY;
  let count = 0;
  return (at: number): 'ok' | number | 'refused' => {
    if (at >= from + windowMs) {
      from = at;
      count = 0;
    }
    count += 1;
    return count <= calls ? 'ok' : tells ? Math.ceil((from + windowMs - at) / 1_000) * 1_000 : 'refused';
  };
}

describe('a configured limit', () => {
  test('holds for every period, and is never met', () => {
    const limiter = new Limiter();
    limiter.configured = { rate: { calls: 5, periodMs: 10_000 } };
    const { letIn, refused } = drive(limiter, fixedWindow(5, 10_000), 0, 60_000);
    expect(refused).toEqual([]);
    expect(letIn.length).toBeGreaterThanOrEqual(28);
  });

  test('of calls at a time waits for one to end', () => {
    const limiter = new Limiter();
    limiter.configured = { atOnce: 2 };
    const [first] = [limiter.start(0), limiter.start(0)];
    expect(limiter.nextAt(5)).toBe(Number.POSITIVE_INFINITY);
    limiter.end(first ?? 0, { kind: 'unknown' }, 10);
    expect(limiter.nextAt(10)).toBe(10);
  });

  test('that is lowered holds for the next call', () => {
    const limiter = new Limiter();
    limiter.configured = { atOnce: 10 };
    for (let call = 0; call < 5; call++) limiter.start(0);
    limiter.configured = { atOnce: 3 };
    expect(limiter.nextAt(1)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a told limit', () => {
  test('that is used up is waited for, and the calls under way are counted with it', () => {
    const limiter = new Limiter();
    limiter.start(0);
    limiter.start(0);
    limiter.tell('requests', { limit: 60, remaining: 3, resetAt: 60_000 }, 10);
    expect(limiter.nextAt(10)).toBe(10);
    limiter.start(10);
    expect(limiter.nextAt(20)).toBe(60_000);
    expect(limiter.nextAt(60_000)).toBe(60_000);
  });
});

describe('a limit that nobody told', () => {
  test('of a window that says when it opens is learnt from one refusal and hardly met again', () => {
    const { letIn, refused } = drive(new Limiter(), fixedWindow(10, 10_000), 0, 300_000);
    expect(letIn.length).toBeGreaterThan(270);
    expect(refused.length).toBeLessThan(12);
  });

  test('of a silent window is found by trying, later and later', () => {
    const { letIn, refused } = drive(new Limiter(), fixedWindow(10, 10_000, false), 0, 600_000);
    expect(letIn.length).toBeGreaterThan(520);
    expect(refused.length).toBeLessThan(60);
  });

  test('of a silent window is tried where periods usually end where a refused call costs much', () => {
    const limiter = new Limiter(0, { firstMs: 1_000, mostMs: 4_000 });
    const starts: number[] = [];
    for (let now = 0; now < 60_000; now += 100) {
      if (limiter.nextAt(now) > now) continue;
      limiter.end(limiter.start(now), { kind: 'limited' }, now);
      starts.push(now);
    }
    expect(starts).toEqual([0, 1_100, 5_100, 10_100, 15_200, 20_200, 30_300]);
  });

  test('of a silent window is narrowed in the next round where the pauses were long', () => {
    const limiter = new Limiter(0, { firstMs: 4_000, mostMs: 4_000 });
    const { letIn } = drive(limiter, fixedWindow(10, 3_000, false), 0, 30_000);
    const isOpening = (at: number, index: number) => at - (letIn[index - 1] ?? at) > 1_000;
    const openings = letIn.filter(isOpening);
    expect(openings[0]).toBeGreaterThan(5_000);
    expect((openings[2] ?? Infinity) - (openings[1] ?? 0)).toBeLessThan(4_000);
  });

  test('of a silent window is tried no sooner than it was seen shut before its calls were counted', () => {
    const limiter = new Limiter(0, { firstMs: 1_000, mostMs: 4_000 });
    limiter.noteUncountedRefusal(undefined, 0);
    for (const at of [1_000, 3_000]) limiter.end(limiter.start(at), { kind: 'limited' }, at);
    const { letIn, refused } = drive(limiter, fixedWindow(10, 5_000, false), 7_000, 15_000);
    expect(letIn.length).toBeGreaterThanOrEqual(10);
    // A call that meets the limit is one, and the first that tries it comes after more than three seconds.
    expect(refused.filter((at) => at < 10_000).length).toBeLessThan(2);
  });

  test('is tried by nobody when a burst that was not counted is refused with the call that met it', () => {
    const limiter = new Limiter(0, { firstMs: 1_000, mostMs: 4_000 });
    for (let call = 0; call < 15; call++) limiter.noteUncountedRefusal(undefined, 0);
    expect(limiter.nextAt(10)).toBe(1_050);
  });

  test('is not seen where somebody else had used the period up: all calls of the round are refused', () => {
    const [limiter, equal] = [new Limiter(), new Limiter()];
    const together = [limiter.start(0), limiter.start(0)];
    for (const ticket of together) {
      limiter.end(ticket, { kind: 'limited', until: 54_000 }, 10);
      equal.learnFrom(limiter, 10);
      expect(equal.isKnown).toBe(false);
    }
    expect(limiter.closedUntil).toBe(54_000);
    const { letIn, refused } = drive(limiter, fixedWindow(10, 60_000), 54_000, 294_000);
    expect(letIn.length).toBeGreaterThanOrEqual(40);
    expect(refused.length).toBeLessThan(4);
  });

  test('is what it was before where all calls of a later round are refused', () => {
    const limiter = new Limiter();
    drive(limiter, fixedWindow(10, 10_000), 0, 35_000);
    const before = limiter.knownLimits;
    const at = limiter.nextAt(45_000);
    const together = [limiter.start(at), limiter.start(at)];
    for (const ticket of together) limiter.end(ticket, { kind: 'limited', until: at + 9_000 }, at + 10);
    expect(limiter.knownLimits).toEqual(before);
  });

  test('is one and the same for equals, however many calls were refused together before all of it was heard', () => {
    const [first, second, third] = [new Limiter(), new Limiter(), new Limiter()];
    const calls = Array.from({ length: 8 }, () => first.start(0));
    for (const call of calls.slice(0, 5)) first.end(call, { kind: 'let-in' }, 50);
    for (const limiter of [second, third]) limiter.end(limiter.start(10), { kind: 'let-in' }, 60);
    for (const call of calls.slice(5)) {
      first.end(call, { kind: 'limited', until: 5_000 }, 100);
      for (const limiter of [second, third]) limiter.learnFrom(first, 100);
      // They tell each other what they have of the first.
      third.learnFrom(second, 110);
      second.learnFrom(third, 110);
    }
    expect([first, second, third].map((limiter) => limiter.snapshot().learnt?.calls)).toEqual([5, 5, 5]);
  });

  test('of an equal is believed, but not taken for kept because more calls were made in a longer time', () => {
    const canary = new Limiter();
    const other = new Limiter(1);
    for (let now = 0; now < 50_000; now += 1_000) {
      for (const each of [canary, other]) each.end(each.start(now), { kind: 'let-in' }, now + 20);
    }
    const burst = Array.from({ length: 40 }, () => canary.start(60_000));
    canary.end(burst[0] ?? 0, { kind: 'limited', until: 62_000 }, 60_005);
    other.learnFrom(canary, 60_005);
    let started = 0;
    for (; other.nextAt(60_006) <= 60_006; started++) other.start(60_006);
    expect(started).toBeLessThan(6);
  });

  test('of tokens that are saved up is raised a little at a time, and not again before they are used up', () => {
    const limiter = new Limiter();
    let [tokens, at] = [20, 0];
    const bucket = (now: number): 'ok' | number => {
      tokens = Math.min(20, tokens + ((now - at) / 1_000) * 2);
      at = now;
      if (tokens < 1) return 1_000;
      tokens -= 1;
      return 'ok';
    };
    const { letIn, refused } = drive(limiter, bucket, 0, 600_000);
    expect(letIn.length).toBeGreaterThan(1_180);
    expect(refused.length).toBeLessThan(15);
  });

  test('that was lowered is followed in one round, and one that was raised in a few', () => {
    const limiter = new Limiter();
    drive(limiter, fixedWindow(10, 10_000), 0, 100_000);
    const lowered = drive(limiter, fixedWindow(5, 10_000), 100_000, 200_000);
    expect(lowered.letIn.length).toBeGreaterThan(40);
    expect(lowered.refused.length).toBeLessThan(8);
    const raised = drive(limiter, fixedWindow(20, 10_000), 200_000, 500_000);
    expect(raised.letIn.filter((at) => at > 400_000).length).toBeGreaterThan(190);
  });

  test('of calls at a time is told apart from one of a period', () => {
    const limiter = new Limiter();
    const open: number[] = [];
    let refused = 0;
    let most = 0;
    for (let now = 0; now < 60_000; now += 100) {
      while (limiter.nextAt(now) <= now) {
        const ticket = limiter.start(now);
        if (open.length >= 3) {
          refused += 1;
          limiter.end(ticket, { kind: 'limited' }, now + 5);
        } else open.push(ticket);
      }
      if (now > 10_000) most = Math.max(most, open.length);
      const [ended] = now % 200 === 0 ? open.splice(0, 1) : [];
      if (ended !== undefined) limiter.end(ended, { kind: 'let-in' }, now);
    }
    expect(most).toBe(3);
    expect(refused).toBeLessThan(10);
  });
});

test('a window that slides is no smaller limit because the first call of the next round came a moment early', () => {
  const limiter = new Limiter();
  drive(limiter, fixedWindow(10, 10_000), 0, 45_000);
  const learnt = limiter.snapshot().learnt;
  const at = limiter.nextAt(50_500);
  for (const ticket of [limiter.start(at), limiter.start(at)]) limiter.end(ticket, { kind: 'let-in' }, at + 10);
  limiter.end(limiter.start(at + 20), { kind: 'limited', until: at + 1_020 }, at + 30);
  expect(limiter.nextAt(at + 40)).toBe(at + 1_020);
  limiter.end(limiter.start(at + 1_020), { kind: 'let-in' }, at + 1_040);
  expect(limiter.snapshot().learnt).toEqual(learnt);
});

test('one stray refusal costs a fraction of a second', () => {
  const limiter = new Limiter();
  let calls = 0;
  const { letIn } = drive(limiter, () => (++calls === 13 ? 'refused' : 'ok'), 0, 3_000);
  expect(letIn.length).toBeGreaterThan(60);
});

test('a told end is kept to: nothing starts before it, and the time does not become shorter', () => {
  const limiter = new Limiter();
  const tickets = [limiter.start(0), limiter.start(0)];
  limiter.end(tickets[0] ?? 0, { kind: 'limited', until: 30_000 }, 10);
  limiter.end(tickets[1] ?? 0, { kind: 'limited', until: 20_000 }, 20);
  expect(limiter.nextAt(25_000)).toBe(30_000);
  expect(limiter.nextAt(30_000)).toBe(30_000);
});

test('a call that is let in after the next round has begun does not make the period shorter than nothing', () => {
  const limiter = new Limiter();
  const answer = fixedWindow(30, 2_000, false);
  const open: { readonly ticket: number; readonly at: number; readonly kind: 'let-in' | 'limited' }[] = [];
  let [letIn, refused] = [0, 0];
  for (let now = 0; now < 200_000; now += 10) {
    const ended = open.filter(({ at }) => at <= now);
    for (const call of ended) {
      open.splice(open.indexOf(call), 1);
      limiter.end(call.ticket, call, now);
    }
    while (limiter.nextAt(now) <= now && refused < 50) {
      const [ticket, kind] = [limiter.start(now), answer(now) === 'ok' ? ('let-in' as const) : ('limited' as const)];
      open.push({ ticket, kind, at: now + (kind === 'let-in' ? 700 + ((ticket * 7_919) % 600) : 10) });
      if (kind === 'let-in') letIn += 1;
      else refused += 1;
    }
  }
  expect(letIn).toBeGreaterThan(2_700);
  expect(refused).toBeLessThan(letIn / 200);
});

test('what an equal has learnt is taken over before one is refused oneself', () => {
  const canary = new Limiter();
  const other = new Limiter(1);
  drive(canary, fixedWindow(10, 10_000), 0, 50_000);
  other.learnFrom(canary, 50_000);
  const { refused } = drive(other, fixedWindow(10, 10_000), 50_000, 70_000);
  expect(refused).toEqual([]);
});

test('what was learnt is there after a restart, and a told end holds', () => {
  const before = new Limiter();
  drive(before, fixedWindow(10, 10_000), 0, 50_000);
  const after = new Limiter();
  after.restore({ ...before.snapshot(), closedUntil: 60_000 }, 50_000);
  expect(after.nextAt(50_000)).toBe(60_000);
  expect(after.perSecond()).toBeCloseTo(1, 1);
  // That it is open then says nothing of how long the period is: nobody knows when it began.
  after.end(after.start(60_000), { kind: 'let-in' }, 60_020);
  expect(after.knownLimits).toEqual(before.knownLimits);
});

describe('what is kept although no row of the bench needs it', () => {
  test('a configured limit is not met by calls of which some take longer to arrive than others', () => {
    const limiter = new Limiter();
    limiter.configured = { rate: { calls: 5, periodMs: 1_000 } };
    const arrivals: number[] = [];
    let refused = 0;
    for (let now = 0; now < 20_000; now++) {
      if (limiter.nextAt(now) > now) continue;
      limiter.end(limiter.start(now), { kind: 'let-in' }, now);
      // Every other second calls are slower by ten milliseconds.
      const arrival = now + (Math.floor(now / 1_000) % 2 === 0 ? 10 : 0);
      if (arrivals.filter((each) => each > arrival - 1_000).length >= 5) refused += 1;
      arrivals.push(arrival);
    }
    expect(refused).toBe(0);
    expect(arrivals.length).toBeGreaterThan(90);
  });

  test('a limit of calls at a time that rises is found to have risen', () => {
    const limiter = new Limiter();
    const open: { ticket: number; at: number }[] = [];
    let most = 0;
    for (let now = 0; now < 1_800_000; now += 100) {
      while (open[0] !== undefined && open[0].at <= now - 400) {
        limiter.end(open.shift()?.ticket ?? 0, { kind: 'let-in' }, now);
      }
      while (limiter.nextAt(now) <= now) {
        const ticket = limiter.start(now);
        if (open.length >= (now < 60_000 ? 2 : 6)) limiter.end(ticket, { kind: 'limited' }, now + 5);
        else open.push({ ticket, at: now });
      }
      if (now > 1_500_000) most = Math.max(most, open.length);
    }
    expect(most).toBeGreaterThan(4);
  });
});
