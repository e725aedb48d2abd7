/** Which store a new task's row will be in; the tasks of one submission share one. */
import type { Stores } from '../shared/store/stores.ts';

/** @param random a number in [0, 1) */
export function chooseStore({ all }: Stores, random: number): number {
  return all[Math.floor(random * all.length)]?.number ?? 0;
}
