/**
 * How many calls of a service may go now, over all shards: its own limits of calls at a time and a
 * second; and where in the time to come a call that may not is put. Those that wait are spaced out and
 * what is promised to them is not given to new calls, so they return one by one and nobody starves.
 * Pure over the service's state.
 */
import {
  addStarts,
  countStarts,
  countUntil,
  forgetStarts,
  nextStartAt,
  removeStart,
} from '../../shared/pace/start-log.ts';
import type { ServiceDefinition } from '../../shared/service/definition.ts';
import type { Service } from './service.ts';

interface Pace {
  readonly limit: number;
  readonly windowMs: number;
}

/** A call that comes this little before its time is let in. */
const EARLY_MS = 500;

/** A promise that is not taken up is void: its task has ended, or came too late. */
const VOID_AFTER_MS = 3_000;

/** Of the places, for promised calls that have not come yet. */
const KEPT_SHARE = 0.25;

/** Promises reach no further: who would wait longer looks again, spread over the last fifth before that. */
const HORIZON_MS = 60_000;

/** Before any call has ended. */
const ASSUMED_CALL_MS = 250;

export class Turnstile {
  readonly #service: Service;
  readonly #pace: Pace | undefined;
  readonly #maxConcurrency: number;
  readonly #now: number;
  /** Promised places whose time has come. */
  #due: number;

  constructor(service: Service, definition: ServiceDefinition | undefined, now: number) {
    this.#service = service;
    this.#pace = definition?.requestsPerSecond === undefined ? undefined : paceOf(definition.requestsPerSecond);
    this.#maxConcurrency = definition?.maxConcurrency ?? Number.POSITIVE_INFINITY;
    this.#now = now;
    forgetStarts(service.promised, now - VOID_AFTER_MS);
    if (this.#pace !== undefined) forgetStarts(service.starts, now - this.#pace.windowMs);
    this.#due = countUntil(service.promised, now + EARLY_MS);
  }

  /**
   * @param isBack it has waited before, and so may have been promised a place
   * @param places calls that the service's servers can take now
   * @param capacity calls at a time that they take
   */
  lets(isBack: boolean, places: number, capacity: number): boolean {
    const free = Math.min(places, this.#maxConcurrency - this.#service.inFlight);
    const isExpected = isBack && this.#due > 0;
    // What waits may be far back in its queue: few of the places are kept free for it.
    const kept = Math.min(this.#due, Math.ceil(Math.min(capacity, this.#maxConcurrency) * KEPT_SHARE));
    if (free < 1 || (!isExpected && free <= kept)) return false;
    if (this.#pace === undefined) return true;
    const { limit, windowMs } = this.#pace;
    const { starts, promised } = this.#service;
    return isExpected
      ? countStarts(starts, this.#now - windowMs) < limit
      : nextStartAt(starts, promised, limit, windowMs, this.#now) <= this.#now;
  }

  /** The call goes, or is placed anew: what was promised to it is used up. */
  takeUp(isBack: boolean): void {
    if (!isBack || this.#due === 0) return;
    removeStart(this.#service.promised, 0);
    this.#due -= 1;
  }

  noteStart(): void {
    if (this.#pace !== undefined) addStarts(this.#service.starts, this.#now, 1);
  }

  /** Keeps a place at a time that `placeAt` said. */
  promise(at: number): void {
    if (at > this.#now + HORIZON_MS) return;
    addStarts(this.#service.promised, at, 1);
    if (at <= this.#now + EARLY_MS) this.#due += 1;
  }

  /**
   * When one more call can have a place; too far away to be promised, spread over the time before that.
   * @param capacity calls at a time that the service's servers take
   * @param notBefore until then it cannot, whatever the places
   */
  placeAt(capacity: number, notBefore: number, random: number): number {
    const { starts, promised, meanMs } = this.#service;
    const now = this.#now;
    const atOnce = Math.max(1, Math.min(capacity, this.#maxConcurrency));
    const spacingMs = (meanMs || ASSUMED_CALL_MS) / atOnce;
    // By how many stand before it, not behind the last of them: what a call takes may be known better now.
    const inLine = countUntil(promised, Number.POSITIVE_INFINITY) + 1;
    const paced = this.#pace ? nextStartAt(starts, promised, this.#pace.limit, this.#pace.windowMs, now) : now;
    const at = Math.max(now + spacingMs * inLine, paced, notBefore);
    return at > now + HORIZON_MS ? Math.max(notBefore, now + HORIZON_MS * (0.8 + 0.2 * random)) : at;
  }
}

/** Whole calls in a window that has room for at least one: half a call a second is one in two. */
function paceOf(perSecond: number): Pace {
  const limit = Math.max(1, Math.floor(perSecond));
  return { limit, windowMs: (limit / perSecond) * 1000 };
}
