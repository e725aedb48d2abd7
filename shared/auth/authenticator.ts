/** Who is behind a token: the cache first, then the signature, then whether it was revoked. */
import { type ReadRevoked, RevocationList } from './revocation-list.ts';
import { type Principal, type TokenCheck, type TokenKeys, verifyToken } from './token.ts';
import { VerifiedTokens } from './verified-tokens.ts';

export type Authentication =
  | { readonly ok: true; readonly principal: Principal }
  | { readonly ok: false; readonly code: 'unauthenticated' | 'unavailable'; readonly detail: string };

/** One per isolate. */
export class Authenticator {
  readonly #keys: TokenKeys;
  readonly #readRevoked: ReadRevoked;
  readonly #verified = new VerifiedTokens();
  readonly #revocations = new RevocationList();

  constructor(keys: TokenKeys, readRevoked: ReadRevoked) {
    this.#keys = keys;
    this.#readRevoked = readRevoked;
  }

  /** True for a token whose signature this isolate has verified lately. */
  knows(token: string, now: number): boolean {
    return this.#verified.find(token, now) !== undefined;
  }

  /** Who is behind a token that may have been revoked, or has ended: for whoever revokes it. */
  async identify(token: string, now: number): Promise<TokenCheck> {
    return verifyToken(this.#keys, token, now);
  }

  /** At once for a token that this isolate has verified lately and that nobody can revoke. */
  authenticate(token: string, now: number): Authentication | Promise<Authentication> {
    const principal = this.#verified.find(token, now);
    if (principal !== undefined && principal.jti === undefined) return { ok: true, principal };
    return this.#ask(token, principal, now);
  }

  async #ask(token: string, known: Principal | undefined, now: number): Promise<Authentication> {
    let principal = known;
    if (principal === undefined) {
      const verified = await verifyToken(this.#keys, token, now);
      if (!verified.ok) {
        const code = verified.code === 'invalid' ? 'unauthenticated' : 'unavailable';
        return { ok: false, code, detail: verified.reason };
      }
      principal = verified.principal;
      this.#verified.keep(token, principal, now);
    }
    if (principal.jti === undefined) return { ok: true, principal };
    const revoked = await this.#revocations.isRevoked(principal.jti, this.#readRevoked, now);
    if (revoked === undefined) {
      return { ok: false, code: 'unavailable', detail: 'The list of revoked tokens cannot be read at the moment.' };
    }
    return revoked ? { ok: false, code: 'unauthenticated', detail: 'The token was revoked.' } : { ok: true, principal };
  }

  forget(jti: string): void {
    this.#revocations.add(jti);
  }
}
