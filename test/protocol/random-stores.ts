/**
 * Several stores: tasks are spread over them, some come by a deploy while others are at work, and each may be away by itself.
 * A deploy uploads the callback Worker before the producer (decision 0062), so ids lead to a store when Workers know it; those of
 * the release before go on beside them for a while. Chance of its own, so that the rest of a schedule is what its seed always made.
 */
import { env } from 'cloudflare:workers';
import { storeOfTask } from '../../shared/task/id.ts';
import { MINUTE_MS } from './clock.ts';
import { Dice } from './dice.ts';
import type { House } from './house.ts';

const MORE = [env.STORE_1, env.STORE_2];

/** How long callback Workers of the release before are asked. */
const OVERLAP_MS = MINUTE_MS;

export class Spread {
  readonly #dice: Dice;
  /** When the producers know each. */
  readonly #openedAt = new Map([[0, 0]]);

  constructor(house: House, seed: number) {
    this.#dice = new Dice(seed * 86_028_121);
    const dice = this.#dice;
    if (dice.chance(0.75)) return;
    for (const [index, db] of MORE.slice(0, dice.pick([1, 1, 1, 2])).entries()) this.#add(house, index + 1, db);
    house.storage.next = () => this.next(house.clock.now);
    const overlap = dice.pick([0, 0.3]);
    house.storage.known = () => {
      const isNew = (number: number) => house.clock.now < (this.#openedAt.get(number) ?? 0) + OVERLAP_MS;
      return dice.chance(overlap)
        ? new Map([...house.storage.stores].filter(([number]) => !isNew(number)))
        : house.storage.stores;
    };
    leave(house, dice, [...this.#openedAt.keys()]);
  }

  /** The store of a task that comes at `at`, or later. */
  next(at = Number.POSITIVE_INFINITY): number {
    const open = [...this.#openedAt].flatMap(([number, openedAt]) => (openedAt <= at ? [number] : []));
    return open.length === 1 ? (open[0] ?? 0) : this.#dice.pick(open);
  }

  /** No client has its id before. */
  earliest(id: string): number {
    return this.#openedAt.get(storeOfTask(id)) ?? 0;
  }

  #add(house: House, number: number, db: D1Database): void {
    const dice = this.#dice;
    if (dice.chance(0.5)) {
      this.#openedAt.set(number, 0);
      house.storage.add(number, db);
      return;
    }
    const at = house.clock.now + dice.between(0, 40_000);
    this.#openedAt.set(number, at);
    house.plan(at - 1, async () => {
      house.note(`store ${number} is added`);
      house.storage.add(number, db);
    });
  }
}

/** Stores are away, one by one or at a time. */
function leave(house: House, dice: Dice, numbers: readonly number[]): void {
  const away = new Set<number>();
  const drawn = house.faults.draw;
  house.faults.draw = (effect) => (away.has(storeOf(effect)) ? 'down' : drawn?.(effect));
  for (const number of numbers) {
    if (!dice.chance(0.3)) continue;
    const at = house.clock.now + dice.between(0, 60_000);
    house.plan(at, async () => {
      house.note(`store ${number} is away`);
      away.add(number);
    });
    house.plan(at + dice.between(1_000, 600_000), async () => {
      house.note(`store ${number} is back`);
      away.delete(number);
    });
  }
}

/** @returns NaN where an effect is of no store */
function storeOf(effect: string): number {
  const [, number = '0'] = /^db\.(?:(\d+)\.)?/.exec(effect) ?? [undefined, 'none'];
  return Number(number);
}
