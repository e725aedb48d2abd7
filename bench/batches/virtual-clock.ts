/**
 * `setTimeout`, `clearTimeout` and `Date.now` on a clock of one's own, until it is disposed of. Timers lie in a heap,
 * because a shard under load has thousands of them; what follows from those of one moment happens before the next moment.
 */

interface Timer {
  readonly at: number;
  readonly order: number;
  run: (() => void) | undefined;
}

const REAL = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout, now: Date.now };

export class VirtualClock implements Disposable {
  now: number;
  readonly #heap: Timer[] = [];
  #timers = 0;

  constructor(now: number) {
    this.now = now;
    const setTimeout = (run: () => void, ms = 0): Timer => {
      const timer = { at: this.now + Math.max(0, ms), order: this.#timers++, run };
      this.#push(timer);
      return timer;
    };
    const clearTimeout = (timer: Timer | undefined) => {
      if (timer !== undefined) timer.run = undefined;
    };
    const scheduler = { wait: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)) };
    // Of workerd; Node has none.
    Object.assign(globalThis, { setTimeout, clearTimeout, scheduler });
    Date.now = () => this.now;
  }

  [Symbol.dispose](): void {
    const { now, ...globals } = REAL;
    Object.assign(globalThis, globals);
    Date.now = now;
  }

  /** @param isOver looked at after each moment: time stands still once it says so */
  async pass(ms: number, isOver: () => boolean = () => false): Promise<void> {
    const until = this.now + ms;
    await settled();
    for (let first = this.#heap[0]; first !== undefined && first.at <= until; first = this.#heap[0]) {
      this.now = Math.max(this.now, first.at);
      while (this.#heap[0] !== undefined && this.#heap[0].at <= this.now) this.#pop()?.run?.();
      await settled();
      if (isOver()) return;
    }
    this.now = until;
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    heap.push(timer);
    let at = heap.length - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent], timer)) break;
      heap[at] = heap[parent] as Timer;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): Timer | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (isBefore(heap[child + 1], heap[child])) child += 1;
      if (isBefore(last, heap[child])) break;
      heap[at] = heap[child] as Timer;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(a: Timer | undefined, b: Timer | undefined): boolean {
  if (a === undefined || b === undefined) return b === undefined;
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** Promises that are ready have been heard. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
