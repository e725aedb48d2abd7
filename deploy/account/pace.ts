/**
 * Keeps a run below the API's limit of 1,200 calls in five minutes
 * (developers.cloudflare.com/fundamentals/api/reference/limits): whoever goes beyond it is refused for five minutes,
 * and so is everybody who uses the same token. Some calls are left for the dashboard.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export interface Clock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

const WINDOW_MS = 300_000;
const MAX_CALLS = 1_100;

export class Pace {
  readonly #clock: Clock;
  readonly #onPause: ((line: string) => void) | undefined;
  readonly #signal: AbortSignal | undefined;
  /** When the last calls were made, the oldest first. */
  #made: number[] = [];
  #blockedUntil = Number.NEGATIVE_INFINITY;
  #toldUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, onPause?: (line: string) => void, signal?: AbortSignal) {
    this.#clock = clock;
    this.#onPause = onPause;
    this.#signal = signal;
  }

  /** Returns when a call may be made. */
  async take(): Promise<void> {
    for (;;) {
      const now = this.#clock.now();
      const waitMs = this.#waitMs(now);
      if (waitMs <= 0) {
        this.#made.push(now);
        return;
      }
      await this.#clock.sleep(waitMs, this.#signal);
    }
  }

  blockFor(ms: number): void {
    this.#blockedUntil = Math.max(this.#blockedUntil, this.#clock.now() + ms);
  }

  #waitMs(now: number): number {
    this.#made = this.#made.filter((at) => now - at < WINDOW_MS);
    const oldest = this.#made.at(-MAX_CALLS);
    const freeAt = oldest === undefined ? now : oldest + WINDOW_MS;
    if (freeAt > now && now >= this.#toldUntil) {
      this.#toldUntil = freeAt;
      const seconds = Math.ceil((freeAt - now) / 1000);
      this.#onPause?.(`${MAX_CALLS} calls in five minutes are what the API allows; going on in ${seconds} s`);
    }
    return Math.max(freeAt, this.#blockedUntil) - now;
  }
}
