/**
 * How long a backend may be silent: until it begins to answer, and between two pieces of its answer.
 * A call that is silent for longer, or whose client has gone, is aborted.
 */

class IdleTimeoutError extends Error {
  override readonly name = 'IdleTimeoutError';
}

export class IdleTimeout implements Disposable {
  readonly #abort = new AbortController();
  readonly #client: AbortSignal;
  readonly #maxMs: number;
  #lastPieceAt = Date.now();
  #timer: ReturnType<typeof setTimeout>;

  /** @param client aborted when the client goes away */
  constructor(maxMs: number, client: AbortSignal) {
    this.#maxMs = maxMs;
    this.#client = client;
    this.#timer = setTimeout(() => this.#look(), maxMs);
    if (client.aborted) this.#leave();
    else client.addEventListener('abort', this.#leave);
  }

  /** For the call, and for whatever reads its answer. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get isTooLong(): boolean {
    return this.#abort.signal.reason instanceof IdleTimeoutError;
  }

  /** A piece of the answer came. */
  restart(): void {
    this.#lastPieceAt = Date.now();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#client.removeEventListener('abort', this.#leave);
  }

  readonly #leave = () => this.#abort.abort(this.#client.reason);

  /** One timer for all pieces: it looks when the last one was, and goes on. */
  #look(): void {
    const leftMs = this.#lastPieceAt + this.#maxMs - Date.now();
    if (leftMs > 0) this.#timer = setTimeout(() => this.#look(), leftMs);
    else this.#abort.abort(new IdleTimeoutError());
  }
}
