/** Gathers pieces of a stream up to the size of one part. It starts small and grows: most bodies are. */

const FIRST_BYTES = 128 * 1024;

export class PartBuffer {
  readonly #limit: number;
  #bytes = new Uint8Array(0);
  #length = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === this.#limit;
  }

  /** Takes as much of the piece as fits. @returns the rest of it */
  fill(piece: Uint8Array): Uint8Array {
    const taken = piece.subarray(0, this.#limit - this.#length);
    const length = this.#length + taken.length;
    if (length > this.#bytes.length) this.#grow(length);
    this.#bytes.set(taken, this.#length);
    this.#length = length;
    return piece.subarray(taken.length);
  }

  /** What was gathered; a view that the next `fill` after `clear` overwrites. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  #grow(length: number): void {
    const size = Math.min(this.#limit, Math.max(FIRST_BYTES, length, this.#bytes.length * 2));
    const grown = new Uint8Array(size);
    grown.set(this.view());
    this.#bytes = grown;
  }
}
