/** When calls started, oldest first, and what a limit of so many within a period makes of it. No I/O. */

/** Starts that are kept for counting. */
const MAX_STARTS = 5_000;

export class Starts {
  readonly #times: number[] = [];

  add(at: number): void {
    const isLast = (this.#times.at(-1) ?? 0) <= at;
    if (isLast) this.#times.push(at);
    else
      this.#times.splice(
        this.#indexOf((start) => start > at),
        0,
        at,
      );
    if (this.#times.length > MAX_STARTS) this.#times.shift();
  }

  /** It was not let in, or never sent. */
  remove(at: number): void {
    const index = this.#times.lastIndexOf(at);
    if (index >= 0) this.#times.splice(index, 1);
  }

  firstSince(from: number): number | undefined {
    return this.#times[this.#indexOf((at) => at >= from)];
  }

  countSince(from: number): number {
    return this.#times.length - this.#indexOf((at) => at >= from);
  }

  /** When so many calls within such a period allow one more, Unix ms; in the past when they do now. */
  nextAt(calls: number, periodMs: number): number {
    const at = this.#times[this.#times.length - Math.max(1, calls)];
    return at === undefined ? 0 : at + periodMs;
  }

  /** How many more could start until then: each place of the limit as often as the period passes. */
  room(calls: number, periodMs: number, now: number, until: number): number {
    const limit = Math.min(calls, MAX_STARTS);
    let room = 0;
    for (let at = until; at >= now; at -= Math.max(1, periodMs)) {
      const taken = this.#times.length - this.#indexOf((start) => start > at - periodMs);
      room += Math.max(0, limit - taken);
    }
    return room;
  }

  /** Of the first start for which this is so; it is for all later ones. */
  #indexOf(isSo: (at: number) => boolean): number {
    const times = this.#times;
    let low = 0;
    let high = times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (isSo(times[middle] ?? Infinity)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
