/**
 * How full stores are, and which of them takes the next task. Pure: sizes, clock and limits are handed in.
 *
 * New ids go to the stores with most room, in proportion to it. The choice is the same for all isolates for a
 * quarter of a second, so that tasks which are claimed in one batch mostly share a store and a statement. A
 * store that is full, drains or does not answer gets none.
 */

/** Cloudflare's limit of one D1 database (November 2026). */
export const D1_LIMIT_BYTES = 10_000_000_000;

/** From here on people are told. */
const NEARLY_FULL = 0.9;

/** From here on nothing more is accepted: what was accepted still has to be recorded. */
const FULL = 0.98;

const SLOT_MS = 250;

export interface StoreFill {
  readonly number: number;
  /** Undefined: it has not answered yet. */
  readonly bytes: number | undefined;
  readonly isAway: boolean;
  readonly isDraining: boolean;
}

export type StoreState = 'ok' | 'nearly-full' | 'full' | 'away' | 'draining';

/** How a store stands, for whoever watches. */
export interface StoreStatus {
  readonly store: number;
  readonly state: StoreState;
  readonly bytes: number | undefined;
  readonly limitBytes: number;
  readonly usedPercent: number | undefined;
  /** At the pace of the last day; undefined: it does not grow, or nothing is known yet. */
  readonly daysLeft: number | undefined;
}

export function stateOfStore({ bytes = 0, isAway, isDraining }: StoreFill, limitBytes: number): StoreState {
  if (isAway) return 'away';
  if (bytes >= limitBytes * FULL) return 'full';
  if (bytes >= limitBytes * NEARLY_FULL) return 'nearly-full';
  return isDraining ? 'draining' : 'ok';
}

/**
 * @param reservedBytes what tasks that are accepted and not recorded will take, over all stores
 * @param isolate a number in [0, 1) that stays the same for whoever asks
 * @returns the store's number, or undefined when none has room
 */
export function chooseStore(
  stores: readonly StoreFill[],
  limitBytes: number,
  reservedBytes: number,
  now: number,
  isolate = 0,
): number | undefined {
  const usable = stores.filter(({ isDraining }) => !isDraining);
  // The queues hold what no store answers for: better accepted and late than refused.
  const answering = usable.filter(({ isAway }) => !isAway);
  const candidates = answering.length > 0 ? answering : usable;
  const lanes = lanesOf(candidates.length);
  const slot = Math.floor(now / SLOT_MS) * lanes + Math.floor(isolate * lanes);
  let best: { number: number; score: number } | undefined;
  for (const { number, bytes = 0 } of candidates) {
    const room = limitBytes * FULL - bytes - reservedBytes / candidates.length;
    if (room <= 0) continue;
    // Weighted rendezvous: each store wins a share of the slots that is its share of the room.
    const score = Math.log(uniform(slot, number)) / room;
    if (best === undefined || score > best.score) best = { number, score };
  }
  return best?.number;
}

/**
 * Stores that are filled at the same time: one would have to take in a quarter of a second what all are for. Few, so
 * that a batch needs few statements; more stores mean more load.
 */
export function lanesOf(stores: number): number {
  return Math.max(1, Math.floor(stores / 8));
}

/** A number in (0, 1) that depends on nothing else: the finaliser of MurmurHash3 over slot and store. */
function uniform(slot: number, number: number): number {
  let hash = (slot ^ Math.imul(number + 1, 0x9e3779b1)) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (((hash ^ (hash >>> 16)) >>> 0) + 0.5) / 2 ** 32;
}

/** An earlier size of the same store. */
export interface SizeSample {
  readonly bytes: number;
  /** Unix ms. */
  readonly at: number;
}

/** Less says nothing of a pace. */
const MIN_PACE_MS = 600_000;

/** @returns days until the store is full at the pace since `sample`; undefined: it does not grow */
export function daysLeft(
  bytes: number,
  sample: SizeSample | undefined,
  limitBytes: number,
  now: number,
): number | undefined {
  if (sample === undefined || now - sample.at < MIN_PACE_MS || bytes <= sample.bytes) return undefined;
  const bytesPerMs = (bytes - sample.bytes) / (now - sample.at);
  return Math.max(0, limitBytes * FULL - bytes) / bytesPerMs / 86_400_000;
}
