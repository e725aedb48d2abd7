/**
 * What this backend was asked to do, by `Idempotency-Key`. Tasklane may call twice for one task (at
 * least once); a real backend would answer the second call from the first one's result. This one
 * runs every call, and counts, so that tests and a curious reader see how often it happened.
 */

export interface KeyCounts {
  /** Requests received. */
  calls: number;
  /** Answered 2xx with the work done, or done later and accepted by the callback. */
  successes: number;
}

export class CallLog {
  readonly #counts = new Map<string, KeyCounts>();
  readonly #cancelled = new Set<string>();

  /** @returns how many calls this key has made, this one included */
  recordCall(key: string): number {
    return ++this.#countsOf(key).calls;
  }

  recordSuccess(key: string): void {
    this.#countsOf(key).successes++;
  }

  /** The work of this key was stopped because its task was cancelled. */
  recordCancelled(key: string): void {
    this.#cancelled.add(key);
  }

  isCancelled(key: string): boolean {
    return this.#cancelled.has(key);
  }

  reset(): void {
    this.#counts.clear();
    this.#cancelled.clear();
  }

  report(): { keys: number; calls: number; successes: number; byKey: Record<string, KeyCounts> } {
    const all = [...this.#counts.values()];
    return {
      keys: all.length,
      calls: all.reduce((sum, { calls }) => sum + calls, 0),
      successes: all.reduce((sum, { successes }) => sum + successes, 0),
      byKey: Object.fromEntries(this.#counts),
    };
  }

  #countsOf(key: string): KeyCounts {
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    const fresh: KeyCounts = { calls: 0, successes: 0 };
    this.#counts.set(key, fresh);
    return fresh;
  }
}
