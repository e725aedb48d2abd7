/**
 * The revoked tokens as this isolate knows them: a list at most 30 seconds old, read again by the
 * request that finds it older. While a read fails the last list stays in force; an isolate that never
 * had one refuses to guess (fail closed). Tokens without a `jti` cannot be revoked and never ask.
 *
 * Only plain data outlives a request. Requests that meet a missing list each read it themselves:
 * a promise shared between requests would break when the first of them goes away.
 */

const REFRESH_AFTER_MS = 30_000;

/** Reads the `jti`s revoked and not yet expired; rejects when the database does not answer. */
export type ReadRevoked = (now: number) => Promise<readonly string[]>;

export class RevocationList {
  #revoked: Set<string> | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;

  /** True, false, or undefined when nobody knows. */
  async isRevoked(jti: string, read: ReadRevoked, now: number): Promise<boolean | undefined> {
    if (this.#revoked === undefined || now - this.#askedAt >= REFRESH_AFTER_MS) {
      // Set before the read: one request refreshes, the others go on with the list that is there.
      this.#askedAt = now;
      await this.#refresh(read, now);
    }
    return this.#revoked?.has(jti);
  }

  /** A token revoked through this isolate is refused here at once. */
  add(jti: string): void {
    this.#revoked?.add(jti);
  }

  async #refresh(read: ReadRevoked, now: number): Promise<void> {
    try {
      this.#revoked = new Set(await read(now));
    } catch {
      // The last list stays; without one, the caller is told that nobody knows.
    }
  }
}
