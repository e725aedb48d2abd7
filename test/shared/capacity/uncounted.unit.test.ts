/** A service that nobody asks about while it is quiet: its first refusals come before anybody has counted. */
import { describe, expect, test } from 'vitest';
import { Limiter } from '../../../shared/capacity/limiter.ts';

describe('a backend without anybody who counted its calls before it refused one', () => {
  const PAUSE = { firstMs: 1_000, mostMs: 4_000 };
  /** Lets in 20 in 5 s; 20 of 100 at once were let in, and the refusals are told first. */
  const told = () => {
    const limiter = new Limiter(0, PAUSE);
    for (let call = 0; call < 80; call++) limiter.noteUncountedRefusal(undefined, 100);
    for (let call = 0; call < 20; call++) limiter.noteUncountedStart(20 + call);
    return limiter;
  };
  const tryAt = (limiter: Limiter, now: number, kind: 'let-in' | 'limited') => {
    const at = limiter.nextAt(now);
    limiter.end(limiter.start(at), { kind }, at + 20);
    return at;
  };

  test('is tried as soon when a call of ten minutes is told of, which says nothing of the period', () => {
    const limiter = new Limiter(0, PAUSE);
    limiter.noteUncountedRefusal(undefined, 1_000_000);
    const at = limiter.nextAt(1_000_010);
    limiter.noteUncountedStart(400_000);
    expect(limiter.nextAt(1_000_010)).toBe(at);
  });

  test('is tried where periods usually end, and takes as many then as it let in at once', () => {
    const limiter = told();
    const tries = [tryAt(limiter, 100, 'limited'), tryAt(limiter, 1_120, 'let-in')];
    expect(tries.map((at) => Math.round(at / 100) / 10)).toEqual([1.1, 5.1]);
    let now = 5_120;
    const tickets: number[] = [];
    while (limiter.nextAt(now) <= now) tickets.push(limiter.start(now));
    // And two more, to know whether that is all: they are refused.
    expect(tickets).toHaveLength(21);
    for (const [index, ticket] of tickets.entries())
      limiter.end(ticket, { kind: index < 19 ? 'let-in' : 'limited' }, now);
    expect(limiter.knownLimits).toMatchObject([{ calls: 20 }]);
    // The next period begins when one was seen to end, and all of it may start at once.
    now = tryAt(limiter, now, 'let-in') + 100;
    expect(now).toBeLessThan(5_120 + 5_300);
    let started = 1;
    for (; limiter.nextAt(now) <= now; started++) limiter.start(now);
    expect(started).toBe(20);
  });

  test('is known to bear a pace once a period is known, within a fifth or by when it ended', () => {
    const limiter = told();
    tryAt(limiter, 100, 'limited');
    tryAt(limiter, 1_100, 'let-in');
    expect(limiter.perSecond()).toBeUndefined();

    const pace = (openMs: number, shutMs: number) => {
      const plain = new Limiter();
      plain.end(plain.start(0), { kind: 'let-in' }, 5);
      plain.end(plain.start(10), { kind: 'limited' }, 15);
      for (const [at, kind] of [
        [shutMs, 'limited'],
        [openMs, 'let-in'],
      ] as const) {
        plain.end(plain.start(at), { kind }, at + 5);
      }
      return plain.perSecond();
    };
    expect(pace(4_000, 2_000)).toBeUndefined();
    expect(pace(4_000, 3_500)).toBeCloseTo(1 / 4);
    expect(pace(5_050, 2_000)).toBeCloseTo(1 / 5.05);
  });
});
