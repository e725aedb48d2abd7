/**
 * The time-outs of a batch's calls, on one timer: nearly every call ends before its own, and a timer
 * set and cleared for each is work that all of them would pay for.
 */

export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

export class Timeouts {
  /** Unix ms by call under way. */
  readonly #ends = new Map<AbortController, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #firesAt = Number.POSITIVE_INFINITY;

  /** Aborts with a `TimeoutError` in `ms`, unless the call is over by then. */
  start(abort: AbortController, ms: number): void {
    const end = Date.now() + ms;
    this.#ends.set(abort, end);
    if (end < this.#firesAt) this.#fireAt(end);
  }

  over(abort: AbortController): void {
    this.#ends.delete(abort);
  }

  /** No call is under way any more. */
  stop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#ends.clear();
  }

  #fireAt(at: number): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#firesAt = at;
    this.#timer = setTimeout(() => this.#fire(), at - Date.now());
  }

  #fire(): void {
    const now = Date.now();
    this.#firesAt = Number.POSITIVE_INFINITY;
    for (const [abort, end] of this.#ends) {
      if (end > now) continue;
      this.#ends.delete(abort);
      abort.abort(new TimeoutError());
    }
    if (this.#ends.size > 0) this.#fireAt(Math.min(...this.#ends.values()));
  }
}
