/** The words in which limits are spoken of, whether configured, told by a backend or learnt. Plain data. */

/** What an operator configures. The strictest of all that is known counts. */
export interface ConfiguredLimit {
  /** So many calls within so long. */
  readonly rate?: { readonly calls: number; readonly periodMs: number } | undefined;
  /** Calls at a time. */
  readonly atOnce?: number | undefined;
}

/** How a call ended, as far as the limit is concerned. */
export type CallEnd =
  /** The backend took it: whatever it answered was not for want of room. */
  | { readonly kind: 'let-in' }
  /** Refused for want of room. `until`: Unix ms, when the backend said it. */
  | { readonly kind: 'limited'; readonly until?: number | undefined }
  /** No answer: it may have counted. */
  | { readonly kind: 'unknown' }
  /** Never sent. */
  | { readonly kind: 'unused' };

/** What a backend tells of a limit beside its answer. */
export interface ToldLimit {
  readonly limit: number;
  readonly remaining: number;
  /** Unix ms: when all of it is there again. */
  readonly resetAt: number;
  /** Stated by the backend, not guessed. */
  readonly periodMs?: number | undefined;
}
