/**
 * Which services' calls may last, as this isolate has seen them: while tasks pile up in the queue, those of a
 * service that is not known to be quick ask for a place before they keep an invocation of the shard. Plain
 * data: losing it costs a few questions. Pure.
 */
import { keepNewest } from '../../shared/newest.ts';

/** A call that lasts longer keeps its invocation from others, and is counted. */
export const LONG_MS = 2_000;

/** A call weighs a tenth: after some twenty quick ones a service is known to be quick. */
const WEIGHT = 0.1;
const MOST_LONG = 0.1;

/** Hooks are services too, and every task may bring another. */
const MAX_SERVICES = 2_000;

export class LongCalls {
  /** By service: the share of its latest calls that were long. */
  readonly #shares = new Map<string, number>();

  note(service: string, durationMs: number): void {
    const before = this.#shares.get(service) ?? 1;
    this.#shares.delete(service);
    this.#shares.set(service, before * (1 - WEIGHT) + (durationMs > LONG_MS ? WEIGHT : 0));
    keepNewest(this.#shares, MAX_SERVICES);
  }

  mayBeLong(service: string): boolean {
    return (this.#shares.get(service) ?? 1) > MOST_LONG;
  }
}
