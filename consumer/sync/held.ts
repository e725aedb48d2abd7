/**
 * A place at a server, and a key where the service uses a pool: what a synchronous call holds while it
 * runs. Given back once, together, whoever is first to say so.
 */
import type { CallReport } from '../../shared/registry/routing.ts';
import type { KeyFeedback, LimitFacts } from '../keys/pool/feedback.ts';
import type { HeldKey } from './key-hold.ts';
import type { Place } from './place-hold.ts';

/** How the call went, for the registry and the key pool. */
export interface Report {
  readonly outcome: CallReport['outcome'];
  readonly verdict: KeyFeedback;
  readonly facts?: LimitFacts | undefined;
  /** Unix ms: when a busy server may be called again. */
  readonly busyUntil?: number | undefined;
}

export class Held {
  readonly place: Place;
  readonly key: HeldKey | undefined;
  readonly #since = Date.now();
  readonly #returned = Promise.withResolvers<void>();
  #isGivenBack = false;

  constructor(place: Place, key: HeldKey | undefined) {
    this.place = place;
    this.key = key;
  }

  /** Resolves when all is given back: the invocation is kept until then. */
  get returned(): Promise<void> {
    return this.#returned.promise;
  }

  /** Never rejects. Only the first report counts. */
  async giveBack({ outcome, verdict, facts, busyUntil }: Report): Promise<void> {
    if (this.#isGivenBack) return;
    this.#isGivenBack = true;
    const durationMs = Date.now() - this.#since;
    await Promise.all([this.place.report({ outcome, durationMs, busyUntil }), this.key?.giveBack(verdict, facts)]);
    this.#returned.resolve();
  }
}
