/** What asking for a place or a key comes to, or for both. */
import type { Declined } from '../../shared/sync/call.ts';

export type Taken<Value> =
  | { readonly kind: 'taken'; readonly value: Value }
  /** Worth asking for again then. */
  | { readonly kind: 'waiting'; readonly declined: Declined & { readonly until: number } }
  | { readonly kind: 'declined'; readonly declined: Declined };

export function waitUntil(until: number, why: Declined['why']): Taken<never> {
  return { kind: 'waiting', declined: { why, until } };
}
