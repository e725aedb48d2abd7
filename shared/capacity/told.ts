/**
 * What a backend tells of its limits beside its answers, by the limit's name: requests, tokens. Each report
 * replaces the one before, except that within a window the least that was told counts, and no earlier reset than was told
 * with it; between two of them starts are counted down. No I/O.
 */
import type { ToldLimit } from './limit.ts';

/** A reset is believed for a day at most: what is told later than that is a mistake, and no key is closed for it. */
const MAX_WAIT_MS = 86_400_000;

interface Told {
  readonly limit: number;
  readonly periodMs: number;
  /** The least that was told of this window. */
  least: number;
  remaining: number;
  resetAt: number;
}

export class ToldLimits {
  readonly #limits = new Map<string, Told>();

  get isAny(): boolean {
    return this.#limits.size > 0;
  }

  get all(): readonly Readonly<Told>[] {
    return [...this.#limits.values()];
  }

  /** @param inFlight calls whose start the backend may not have counted when it reported */
  tell(name: string, { limit, remaining, resetAt: told, periodMs }: ToldLimit, inFlight: number, now: number): void {
    const reset = Math.min(told, now + MAX_WAIT_MS);
    if (reset <= now) return;
    const before = this.#limits.get(name);
    // A window that is not stated is at least as long as the longest wait that was told.
    const seenMs = before?.limit === limit ? before.periodMs : 0;
    const isOfEarlierCall = before !== undefined && before.least < remaining && isSameWindow(before, reset);
    const least = isOfEarlierCall ? before.least : remaining;
    const resetAt = isOfEarlierCall ? Math.max(before.resetAt, reset) : reset;
    this.#limits.set(name, {
      limit,
      least,
      remaining: Math.max(0, least - inFlight),
      resetAt,
      periodMs: periodMs ?? Math.max(seenMs, reset - now),
    });
  }

  start(now: number): void {
    for (const told of this.#limits.values()) {
      if (told.resetAt <= now) {
        told.least = told.limit;
        told.remaining = told.limit;
        told.resetAt = now + told.periodMs;
      }
      told.remaining -= 1;
    }
  }

  nextAt(now: number): number {
    let at = now;
    for (const { remaining, resetAt } of this.#limits.values()) if (remaining < 1) at = Math.max(at, resetAt);
    return at;
  }

  room(until: number): number {
    let room = Infinity;
    for (const { remaining, resetAt, limit } of this.#limits.values()) {
      room = Math.min(room, resetAt > until ? remaining : limit);
    }
    return room;
  }

  perSecond(): number {
    let slowest = Infinity;
    for (const { limit, periodMs } of this.#limits.values()) slowest = Math.min(slowest, (limit * 1_000) / periodMs);
    return slowest;
  }
}

/** Answers arrive in any order, and what is left of a window only sinks. One that moves on does so by a call's share at least. */
function isSameWindow(before: Told, resetAt: number): boolean {
  return resetAt <= before.resetAt + before.periodMs / before.limit / 2;
}
