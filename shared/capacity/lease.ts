/**
 * How a batch, or a synchronous call, asks for capacity: keys of a pool, or places at a service (rule
 * R22). Every question has an id. The same id gets the same answer, what its caller does not want any
 * more is released by that id, and what nobody releases ends at `expiresAt`.
 */
import type { DeferralReason } from '../task/state.ts';

export interface LeaseRequest<Call extends LeaseCall = LeaseCall> {
  readonly leaseId: string;
  /** When the last of its calls has ended for sure, Unix ms. */
  readonly expiresAt: number;
  /** Nobody reads an answer after this, Unix ms; absent from a consumer of an earlier release. */
  readonly awaitedUntil?: number | undefined;
  readonly calls: readonly Call[];
}

export interface LeaseCall {
  /** The task's id. */
  readonly task: string;
  /** How its owner tells limits apart that hold side by side: a model, for instance. */
  readonly bucket?: string | undefined;
}

/** @template Grant what a call is given: a key's number, a server */
export type LeaseAnswer<Grant, Reason extends DeferralReason = DeferralReason> =
  | ({ readonly task: string; readonly kind: 'granted' } & Grant)
  /** There is room within a moment: worth waiting for in place, and asking again then. */
  | { readonly task: string; readonly kind: 'start-at'; readonly at: number; readonly reason: Reason }
  /** It stands in the line, which its owner serves from now on. `until`: Unix ms, as far as it is known. */
  | {
      readonly task: string;
      readonly kind: 'park';
      readonly line: string;
      readonly reason: Reason;
      readonly until?: number | undefined;
    }
  /** No capacity helps: the call itself is what is refused. */
  | { readonly task: string; readonly kind: 'fail'; readonly detail: string; readonly httpStatus?: number };

/** Waits that end within this time are waited out in place. */
const WAIT_IN_PLACE_MS = 2_000;

/** What becomes of a call whose time comes at `at`: it waits where it is, or stands in the line. */
export function waitsInPlace(at: number, now: number, withinMs = WAIT_IN_PLACE_MS): boolean {
  return at <= now + withinMs;
}
