/** What one call said about the key it used. Plain data: it travels from the caller to the pool. */
import type { ToldLimit } from '../../../shared/capacity/limit.ts';

export type KeyFeedback =
  /** The backend took the key: an answer that is about the request, not about the key. */
  | { readonly kind: 'worked' }
  /** Rate limited, or (`quota`) an allowance is used up. `resetAt`: Unix ms, when the backend said it. */
  | { readonly kind: 'limited'; readonly quota: boolean; readonly resetAt: number | undefined }
  /** 401, 402, 403 and their like: the key, or (`bucket`) the key for this model, is not good, at least not for this task. */
  | { readonly kind: 'refused'; readonly httpStatus: number; readonly about: 'key' | 'bucket' }
  /** More than the key may ever take at once: no waiting helps. */
  | { readonly kind: 'too-large'; readonly httpStatus: number }
  /** Called, but nothing was learnt of the key: no answer, or a failing backend. */
  | { readonly kind: 'unknown' }
  /** Never called: the start is taken back. */
  | { readonly kind: 'unused' };

/** What a backend tells of a key's limits beside its answer. */
export interface LimitFacts {
  readonly requests?: ToldLimit;
  /** Tokens a minute, as far as the backend reports them. */
  readonly tokens?: ToldLimit;
  /** Tokens that this call took. */
  readonly tokensUsed?: number;
}

export interface KeyReport {
  /** The task's id. */
  readonly task: string;
  readonly feedback: KeyFeedback;
  readonly facts?: LimitFacts;
}

/** The task has to be placed again: what was said is about the key. */
export function isAboutKey({ kind }: KeyFeedback): boolean {
  return kind === 'limited' || kind === 'refused' || kind === 'too-large';
}
