import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isoTime } from '../../shared/iso-time.ts';

const LAST = 8.64e15;

describe('isoTime', () => {
  it('writes every time as the language does', () => {
    const times = fc.oneof(
      fc.integer({ min: -LAST, max: LAST }),
      fc.integer({ min: 0, max: 4e12 }),
      fc.double({ min: -1e13, max: 1e13, noNaN: true }),
      fc.integer({ min: -200, max: 200 }).map((day) => day * 86_400_000),
    );
    fc.assert(
      fc.property(times, (at) => {
        expect(isoTime(at)).toBe(new Date(at).toISOString());
      }),
      { numRuns: 2000 },
    );
  });

  it('knows no time beyond them', () => {
    for (const at of [Number.NaN, Infinity, -Infinity, LAST + 86_400_000, -LAST - 1]) {
      expect(() => isoTime(at)).toThrow(RangeError);
    }
  });
});
