/** When calls started, oldest first, and what a limit of so many within a period makes of it. No I/O. */

/** Starts that are kept for counting. */
const MAX_STARTS = 5_000;

export class Starts {
  readonly #times: number[] = [];

  add(at: number): void {
    this.#times.push(at);
    if (this.#times.length > MAX_STARTS) this.#times.shift();
  }

  /** It was not let in, or never sent. */
  remove(at: number): void {
    const index = this.#times.lastIndexOf(at);
    if (index >= 0) this.#times.splice(index, 1);
  }

  countSince(from: number): number {
    const times = this.#times;
    let count = 0;
    while (count < times.length && (times[times.length - 1 - count] ?? 0) >= from) count++;
    return count;
  }

  /** When so many calls within such a period allow one more, Unix ms; in the past when they do now. */
  nextAt(calls: number, periodMs: number): number {
    const at = this.#times[this.#times.length - Math.max(1, calls)];
    return at === undefined ? 0 : at + periodMs;
  }

  /** How many more could start until then: each place of the limit as often as the period passes. */
  room(calls: number, periodMs: number, now: number, until: number): number {
    const times = this.#times;
    const limit = Math.min(calls, MAX_STARTS);
    let room = 0;
    for (let back = 1; back <= limit; back++) {
      const at = times[times.length - back];
      const freeAt = at === undefined ? now : Math.max(now, at + periodMs);
      if (freeAt <= until) room += 1 + Math.floor((until - freeAt) / periodMs);
      // The others have been free for longer.
      if (freeAt === now) return room + (limit - back) * (1 + Math.floor((until - now) / periodMs));
    }
    return room;
  }
}
