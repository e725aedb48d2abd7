import { describe, expect, it } from 'vitest';
import { chooseStore, daysLeft, type StoreFill, stateOfStore } from '../../../shared/store/fill.ts';

const LIMIT = 1_000_000;
const NOW = Date.UTC(2026, 10, 20);
const DAY_MS = 86_400_000;

const store = (number: number, bytes: number | undefined, more: Partial<StoreFill> = {}): StoreFill => ({
  number,
  bytes,
  isAway: false,
  isDraining: false,
  ...more,
});

/** How often each store was chosen, over an hour of slots. */
function shares(stores: readonly StoreFill[], pending = 0): Map<number | undefined, number> {
  const counts = new Map<number | undefined, number>();
  const slots = 14_400;
  for (let slot = 0; slot < slots; slot++) {
    const chosen = chooseStore(stores, LIMIT, pending, NOW + slot * 250);
    counts.set(chosen, (counts.get(chosen) ?? 0) + 1 / slots);
  }
  return counts;
}

describe('the choice of a store', () => {
  it('spreads evenly over stores that are equally empty', () => {
    const counts = shares([store(0, 0), store(1, 0), store(2, undefined)]);
    for (const number of [0, 1, 2]) expect(counts.get(number)).toBeCloseTo(1 / 3, 1);
  });

  it('gives most to the store with most room, in proportion to it', () => {
    const counts = shares([store(0, 780_000), store(1, 780_000), store(2, 180_000)]);
    expect(counts.get(2)).toBeCloseTo(0.8 / 1.2, 1);
    expect(counts.get(0)).toBeCloseTo(0.2 / 1.2, 1);
  });

  it('is the same for everybody for a quarter of a second, whatever they know to the byte', () => {
    let same = 0;
    for (let slot = 0; slot < 1_000; slot++) {
      const at = NOW + slot * 250;
      const one = chooseStore([store(0, 500_000), store(1, 500_000)], LIMIT, 0, at);
      expect(chooseStore([store(0, 500_000), store(1, 500_000)], LIMIT, 0, at + 249)).toBe(one);
      if (chooseStore([store(0, 505_000), store(1, 495_000)], LIMIT, 0, at) === one) same += 1;
    }
    expect(same).toBeGreaterThan(980);
  });

  it('fills several of many stores at a time, a different one by each isolate', () => {
    const many = Array.from({ length: 64 }, (_, number) => store(number, 0));
    const at = (isolate: number) => chooseStore(many, LIMIT, 0, NOW, isolate);
    const chosen = new Set(Array.from({ length: 100 }, (_, index) => at(index / 100)));
    expect(chosen.size).toBeGreaterThan(4);
    expect(chosen.size).toBeLessThanOrEqual(8);
    const few = many.slice(0, 3);
    expect(new Set([0, 0.3, 0.6, 0.9].map((isolate) => chooseStore(few, LIMIT, 0, NOW, isolate))).size).toBe(1);
  });

  it.each([
    ['full', store(1, 980_000)],
    ['away', store(1, 0, { isAway: true })],
    ['draining', store(1, 0, { isDraining: true })],
  ])('passes over a store that is %s', (_, other) => {
    expect(shares([store(0, 900_000), other])).toEqual(new Map([[0, expect.closeTo(1)]]));
  });

  it('has none when all that answer are full', () => {
    expect(chooseStore([store(0, 980_000), store(1, 0, { isAway: true })], LIMIT, 0, NOW)).toBeUndefined();
    expect(chooseStore([store(0, 980_000), store(1, 0, { isDraining: true })], LIMIT, 0, NOW)).toBeUndefined();
  });

  it('goes on while no store answers: the queues hold what comes', () => {
    expect(chooseStore([store(0, 500_000, { isAway: true })], LIMIT, 0, NOW)).toBe(0);
    expect(chooseStore([store(0, undefined, { isAway: true })], LIMIT, 0, NOW)).toBe(0);
  });

  it('counts what is accepted and not recorded yet', () => {
    expect(chooseStore([store(0, 800_000)], LIMIT, 170_000, NOW)).toBe(0);
    expect(chooseStore([store(0, 800_000)], LIMIT, 180_000, NOW)).toBeUndefined();
    expect(chooseStore([store(0, 800_000), store(1, 800_000)], LIMIT, 180_000, NOW)).toBeDefined();
  });
});

describe('the state of a store', () => {
  it.each([
    ['ok', store(0, 899_999)],
    ['ok', store(0, undefined)],
    ['nearly-full', store(0, 900_000)],
    ['full', store(0, 980_000)],
    ['away', store(0, 980_000, { isAway: true })],
    ['draining', store(0, 10, { isDraining: true })],
    ['full', store(0, 980_000, { isDraining: true })],
  ])('is %s', (state, fill) => {
    expect(stateOfStore(fill, LIMIT)).toBe(state);
  });
});

describe('the days that are left', () => {
  it('are those until the store is full at its pace', () => {
    expect(daysLeft(780_000, { bytes: 680_000, at: NOW - DAY_MS }, LIMIT, NOW)).toBeCloseTo(2);
    expect(daysLeft(990_000, { bytes: 680_000, at: NOW - DAY_MS }, LIMIT, NOW)).toBe(0);
  });

  it('are not known without a sample, of a store that shrinks, or from minutes', () => {
    expect(daysLeft(780_000, undefined, LIMIT, NOW)).toBeUndefined();
    expect(daysLeft(780_000, { bytes: 790_000, at: NOW - DAY_MS }, LIMIT, NOW)).toBeUndefined();
    expect(daysLeft(780_000, { bytes: 1, at: NOW - 60_000 }, LIMIT, NOW)).toBeUndefined();
  });
});
