/** Reproducible chance: mulberry32, 32 bits of state. */
import { vi } from 'vitest';

export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 15), bits | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}

/** Whatever the code under test leaves to chance. Ids by themselves: they order what is made in the same millisecond. */
export function rollDice(seed: number): void {
  const dice = new Dice(seed);
  vi.spyOn(Math, 'random').mockImplementation(() => dice.next());
  const ofIds = new Dice(seed * 32_452_843);
  vi.spyOn(crypto, 'getRandomValues').mockImplementation((array) => {
    const bytes = array as Uint8Array;
    for (let at = 0; at < bytes.length; at++) bytes[at] = ofIds.between(0, 255);
    return array;
  });
}
