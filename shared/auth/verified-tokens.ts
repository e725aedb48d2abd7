/**
 * Tokens that this isolate has verified lately, so that a busy client's signature is not checked at
 * every request. Bounded in number and time; plain data, so requests may share it. Revocation is
 * asked at every request all the same: it does not wait for an entry to age out.
 */
import type { Principal } from './token.ts';

const MAX_ENTRIES = 1000;
const MAX_AGE_MS = 60_000;

export class VerifiedTokens {
  readonly #entries = new Map<string, { readonly principal: Principal; readonly until: number }>();

  find(token: string, now: number): Principal | undefined {
    const entry = this.#entries.get(token);
    if (entry === undefined) return undefined;
    if (entry.until > now) return entry.principal;
    this.#entries.delete(token);
    return undefined;
  }

  keep(token: string, principal: Principal, now: number): void {
    if (this.#entries.size >= MAX_ENTRIES) {
      const oldest = this.#entries.keys().next();
      if (!oldest.done) this.#entries.delete(oldest.value);
    }
    this.#entries.set(token, { principal, until: Math.min(now + MAX_AGE_MS, principal.expiresAt) });
  }
}
