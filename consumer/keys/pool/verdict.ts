/** What one call said about the key it used. Plain data: it travels from the caller to the pool. */

export type KeyVerdict =
  /** The backend took the key: an answer that is about the request, not about the key. */
  | { readonly kind: 'worked' }
  /** Rate limited, or (`quota`) an allowance is used up. `resetAt`: Unix ms, when the backend said it. */
  | { readonly kind: 'limited'; readonly quota: boolean; readonly resetAt: number | undefined }
  /** 401, 402, 403 and their like: the key is not good, at least not for this task. */
  | { readonly kind: 'refused'; readonly httpStatus: number }
  /** Called, but nothing was learnt of the key: no answer, or a failing backend. */
  | { readonly kind: 'unknown' }
  /** Never called: the start is taken back. */
  | { readonly kind: 'unused' };

/** What a backend tells of a key's limits beside its answer. */
export interface LimitFacts {
  readonly requests?: Allowance;
  /** Tokens a minute, as far as the backend reports them. */
  readonly tokens?: Allowance;
  /** Tokens that this call took. */
  readonly tokensUsed?: number;
}

export interface Allowance {
  readonly limit: number;
  readonly remaining: number;
  /** Unix ms: when all of it is there again. */
  readonly resetAt: number;
  /** Stated by the backend, not guessed. */
  readonly windowMs?: number;
}

export interface KeyReport {
  /** The task's id. */
  readonly task: string;
  /** Unix ms. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly verdict: KeyVerdict;
  readonly facts?: LimitFacts;
  /** The call is over, whatever the verdict: no place is kept for it. */
  readonly isOver?: boolean;
}
