/**
 * The platform's limit of connections (Workers limits, "Simultaneous open connections"): of one request so
 * many wait for response headers at a time, and what is more waits unseen, with its time-out running.
 */
import type { Invocation } from './faults.ts';

export class Network {
  /** Connections of one invocation that may wait for headers. */
  readonly #limit: number;
  readonly #busy = new Map<Invocation, number>();
  #queue: { readonly of: Invocation; readonly go: () => void }[] = [];

  constructor(limit = 6) {
    this.#limit = limit;
  }

  async connect(of: Invocation, signal: AbortSignal, call: () => Promise<Response>): Promise<Response> {
    await this.#slot(of, signal);
    try {
      return await call();
    } finally {
      this.#busy.set(of, (this.#busy.get(of) ?? 1) - 1);
      this.#next(of);
    }
  }

  async #slot(of: Invocation, signal: AbortSignal): Promise<void> {
    const busy = this.#busy.get(of) ?? 0;
    if (busy < this.#limit) {
      this.#busy.set(of, busy + 1);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const waiting = { of, go: resolve };
      this.#queue.push(waiting);
      signal.addEventListener(
        'abort',
        () => {
          this.#queue = this.#queue.filter((other) => other !== waiting);
          reject(signal.reason);
        },
        { once: true },
      );
    });
    this.#busy.set(of, (this.#busy.get(of) ?? 0) + 1);
  }

  #next(of: Invocation): void {
    const index = this.#queue.findIndex((waiting) => waiting.of === of);
    if (index !== -1) this.#queue.splice(index, 1)[0]?.go();
  }
}
