/**
 * Virtual time inside workerd. Timers and `Date` are faked; the database stays real and answers in
 * real time. While work is driven, the clock stands still as long as the database is busy and jumps
 * to the next timer once nothing else can happen, so minutes of waiting cost milliseconds and every
 * run of a schedule sees the same times.
 */
import { vi } from 'vitest';
import { differingClocks, inTheWorld } from './machine.ts';

/** Every schedule starts here. */
export const START = Date.UTC(2026, 10, 20, 12);
export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** Lets everything happen that is ready: a body goes through the runtime's event loop, and a timer would wait. */
async function turn(): Promise<void> {
  for (let round = 0; round < 5; round++) await new Response('x').arrayBuffer();
}

/** Turns without any real work under way, after which only a timer can go on. */
const QUIET_TURNS = 2;

/** `setTimeout` takes 31 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** A promise of an invocation that was killed: nobody will ever hear of it. */
export function never<Value>(): Promise<Value> {
  return new Promise<Value>(() => undefined);
}

export class Clock {
  /** From timer to timer in one piece of work; the longest schedules need some thousands. */
  maxJumps = 20_000;
  #busy = 0;
  #idle = Promise.withResolvers<void>();
  #driving = false;
  readonly #driven = new Set<Promise<unknown>>();

  constructor(now: number) {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now });
    differingClocks();
  }

  get now(): number {
    return inTheWorld(() => Date.now());
  }

  /** Work outside virtual time: the clock waits for it. */
  async outside<Value>(work: Promise<Value>): Promise<Value> {
    this.#busy += 1;
    try {
      return await work;
    } finally {
      this.#busy -= 1;
      if (this.#busy === 0) {
        this.#idle.resolve();
        this.#idle = Promise.withResolvers();
      }
    }
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      if (signal?.aborted) stop();
      else signal?.addEventListener('abort', stop, { once: true });
    });
  }

  /**
   * Starts work and drives it to its end, and with it what others want driven meanwhile. Work that waits for
   * what will never come is an error.
   */
  async drive<Value>(start: () => Promise<Value>): Promise<Value> {
    const isDriver = !this.#driving;
    this.#driving = true;
    const work = start();
    this.#driven.add(work);
    const settle = () => this.#driven.delete(work);
    work.then(settle, settle);
    if (!isDriver) return work;
    try {
      let quiet = 0;
      let jumps = 0;
      while (this.#driven.size > 0) {
        if (this.#busy > 0) {
          await this.#idle.promise;
          quiet = 0;
        }
        await turn();
        if (this.#busy === 0) quiet += 1;
        if (this.#driven.size === 0 || quiet < QUIET_TURNS) continue;
        if (vi.getTimerCount() === 0) throw new Error('nothing moves any more: an invocation hangs');
        if (++jumps > this.maxJumps) throw new Error('time passes and nothing comes of it: an invocation never ends');
        vi.advanceTimersToNextTimer();
        quiet = 0;
      }
      return await work;
    } finally {
      this.#driving = false;
    }
  }

  /** Lets time pass up to `at`; timers on the way fire. */
  async moveTo(at: number): Promise<void> {
    while (Date.now() < at) await this.drive(() => this.sleep(Math.min(at - Date.now(), MAX_TIMER_MS)));
  }

  stop(): void {
    vi.clearAllTimers();
    vi.useRealTimers();
  }
}
