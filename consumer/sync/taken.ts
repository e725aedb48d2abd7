/** What asking for a place or a key comes to, or for both. */
import { type Declined, DeclinedSchema } from '../../shared/sync/call.ts';

export type Taken<Value> =
  | { readonly kind: 'taken'; readonly value: Value }
  /** Worth asking for again at `until`, where there is one. */
  | { readonly kind: 'declined'; readonly declined: Declined };

/** The lender does not answer, or does not know when: worth another look after this. */
const UNKNOWN_MS = 5_000;

/** @param reason the lender's @param otherwise where that is none of a client's @param until Unix ms @param detail for people */
export function waitFor(
  reason: string | undefined,
  otherwise: Declined['why'],
  until = Date.now() + UNKNOWN_MS,
  detail?: string,
): Taken<never> {
  const why = DeclinedSchema.shape.why.safeParse(reason).data ?? otherwise;
  return { kind: 'declined', declined: { why, until, ...(detail !== undefined && { detail }) } };
}
