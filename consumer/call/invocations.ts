/**
 * One request may cause 32 Worker invocations (Workers limits, service bindings). A batch spends
 * them on its ledger session, on slices for the calls over the network, and on backends behind service
 * bindings, one each. What does not fit is left for a later delivery, unclaimed. Pure.
 */
import { CONNECTIONS } from './spread.ts';

export const MAX_INVOCATIONS = 32;

/** The ledger session, opened again at most this often after it broke. */
export const MAX_LEDGER_SESSIONS = 4;

/** Cancellations that one batch tells bound Workers of; the others wait for a later batch. */
export const MAX_TOLD_BOUND = 2;

/** Cancellations that one batch tells over the network, so that they end with its calls. */
export const MAX_TOLD_FETCHED = 6;

const RESERVED = MAX_LEDGER_SESSIONS + MAX_TOLD_BOUND;

/**
 * How many invocations `fetched` calls over the network take at most: one for every six of them, but
 * for the first, which run in the batch's own. Where a slice takes more than six and hands some of
 * them back, those six by six are no more in all.
 */
export function sliceCount(fetched: number): number {
  return Math.max(0, Math.ceil(fetched / CONNECTIONS) - 1);
}

/** How many calls to bound Workers fit beside `fetched` calls over the network. */
export function boundCallsBeside(fetched: number): number {
  return Math.max(0, MAX_INVOCATIONS - RESERVED - sliceCount(fetched));
}
