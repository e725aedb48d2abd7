/**
 * What the provider knows of its customers' keys: which are revoked, what each may do, what each has
 * done. The clock is handed in. Keys are named by a hash in everything that is shown.
 */
import { createHash } from 'node:crypto';

export const WINDOW_KINDS = ['sliding', 'fixed', 'bucket'] as const;
export type WindowKind = (typeof WINDOW_KINDS)[number];

export interface AccountOptions {
  /** Requests that a key may make in a window. */
  readonly limit: number;
  readonly windowMs: number;
  /**
   * `sliding`: in any stretch of that length; `fixed`: from a key's first request on; `bucket`: refilled
   * steadily, full at first.
   */
  readonly kind: WindowKind;
  /** Requests that a key may make at all; then its quota is used up. */
  readonly quota: number;
  readonly revoked: readonly string[];
}

export type Admission =
  | { readonly kind: 'admitted'; readonly remaining: number; readonly resetMs: number }
  | { readonly kind: 'limited'; readonly retryAfterMs: number }
  | { readonly kind: 'exhausted' }
  | { readonly kind: 'revoked' };

export interface KeyRecord {
  readonly key: string;
  admitted: number;
  limited: number;
  refused: number;
  exhausted: number;
}

interface Account {
  readonly record: KeyRecord;
  /** Of admitted requests inside the window; of a bucket: none. */
  starts: number[];
  windowFrom: number;
  level: number;
  levelAt: number;
}

/** How a key is called where people look: a hash of it. */
export function nameOfKey(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 8);
}

export class Accounts {
  readonly #options: AccountOptions;
  readonly #accounts = new Map<string, Account>();
  readonly #revoked: Set<string>;

  constructor(options: AccountOptions) {
    this.#options = options;
    this.#revoked = new Set(options.revoked);
  }

  revoke(key: string): void {
    this.#revoked.add(key);
  }

  restore(key: string): void {
    this.#revoked.delete(key);
  }

  /** Counts a request against its key, if it is let in. */
  admit(key: string, now: number): Admission {
    const account = this.#accountOf(key, now);
    if (this.#revoked.has(key)) {
      account.record.refused += 1;
      return { kind: 'revoked' };
    }
    if (account.record.admitted >= this.#options.quota) {
      account.record.exhausted += 1;
      return { kind: 'exhausted' };
    }
    const admission = this.#options.kind === 'bucket' ? this.#pour(account, now) : this.#count(account, now);
    if (admission.kind === 'admitted') account.record.admitted += 1;
    else account.record.limited += 1;
    return admission;
  }

  report(): KeyRecord[] {
    return [...this.#accounts.values()].map(({ record }) => ({ ...record }));
  }

  /** Forgets what was done; windows start afresh. */
  reset(): void {
    this.#accounts.clear();
  }

  #count(account: Account, now: number): Admission {
    const { limit, windowMs, kind } = this.#options;
    if (kind === 'fixed' && now >= account.windowFrom + windowMs) {
      account.windowFrom = now;
      account.starts = [];
    }
    if (kind === 'sliding') account.starts = account.starts.filter((at) => at > now - windowMs);
    const from = kind === 'fixed' ? account.windowFrom : (account.starts[0] ?? now);
    if (account.starts.length >= limit) return { kind: 'limited', retryAfterMs: from + windowMs - now };
    account.starts.push(now);
    return { kind: 'admitted', remaining: limit - account.starts.length, resetMs: from + windowMs - now };
  }

  #pour(account: Account, now: number): Admission {
    const { limit, windowMs } = this.#options;
    const perMs = limit / windowMs;
    account.level = Math.min(limit, account.level + (now - account.levelAt) * perMs);
    account.levelAt = now;
    if (account.level < 1) return { kind: 'limited', retryAfterMs: (1 - account.level) / perMs };
    account.level -= 1;
    return { kind: 'admitted', remaining: Math.floor(account.level), resetMs: (limit - account.level) / perMs };
  }

  #accountOf(key: string, now: number): Account {
    const known = this.#accounts.get(key);
    if (known !== undefined) return known;
    const record = { key: nameOfKey(key), admitted: 0, limited: 0, refused: 0, exhausted: 0 };
    const account = { record, starts: [], windowFrom: now, level: this.#options.limit, levelAt: now };
    this.#accounts.set(key, account);
    return account;
  }
}
