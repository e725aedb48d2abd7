/**
 * A place at a server, and a key where the service uses a pool: what a synchronous call holds while it
 * runs. Released once, together, by whoever is first.
 */
import type { CallReport } from '../../shared/registry/routing.ts';
import type { KeyFeedback, LimitFacts } from '../keys/pool/feedback.ts';
import type { AcquiredKey } from './key-hold.ts';
import type { ServerPlace } from './place-hold.ts';

/** How the call went, for the registry and the key pool. */
export interface Report {
  readonly outcome: CallReport['outcome'];
  readonly feedback: KeyFeedback;
  readonly facts?: LimitFacts | undefined;
  /** Unix ms: when a busy server may be called again. */
  readonly busyUntil?: number | undefined;
}

export class Acquired {
  readonly place: ServerPlace;
  readonly key: AcquiredKey | undefined;
  readonly #since = Date.now();
  readonly #released = Promise.withResolvers<void>();
  #isReleased = false;

  constructor(place: ServerPlace, key: AcquiredKey | undefined) {
    this.place = place;
    this.key = key;
  }

  /** Resolves when all is released: the invocation is kept until then. */
  get released(): Promise<void> {
    return this.#released.promise;
  }

  /** Never rejects. Only the first report counts. */
  async release({ outcome, feedback, facts, busyUntil }: Report): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    const durationMs = Date.now() - this.#since;
    await Promise.all([this.place.report({ outcome, durationMs, busyUntil }), this.key?.release(feedback, facts)]);
    this.#released.resolve();
  }
}
