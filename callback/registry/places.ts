/**
 * Calls under way, over all shards. A batch takes its places as a block and gives them back one by
 * one; what a crashed consumer never gives back is freed when the block expires. Pure.
 */
import { beginCall, releaseProbe } from './circuit.ts';
import { type Offer, offerOf, type Registry, serviceOf } from './server.ts';

export interface Place {
  readonly service: string;
  /** Undefined for a service with a fixed target. */
  readonly offer: Offer | undefined;
  /** It tries a circuit that was open. */
  isProbe: boolean;
}

export interface Block {
  expiresAt: number;
  /** By call. */
  readonly open: Map<string, Place>;
}

/** More are forgotten before their time. */
const MAX_SPENT = 10_000;

export function blockOf(registry: Registry, id: string, expiresAt: number): Block {
  const known = registry.blocks.get(id);
  const block = known ?? { expiresAt, open: new Map() };
  block.expiresAt = Math.max(block.expiresAt, expiresAt);
  if (known === undefined) registry.blocks.set(id, block);
  return block;
}

export function takePlace(
  registry: Registry,
  block: Block,
  call: string,
  service: string,
  offer: Offer | undefined,
  now: number,
): void {
  const isProbe = offer !== undefined && beginCall(offer.circuit, now);
  hold(registry, block, call, { service, offer, isProbe }, now);
}

function hold(registry: Registry, block: Block, call: string, place: Place, now: number): void {
  const { service, offer } = place;
  block.open.set(call, place);
  serviceOf(registry, service, now).inFlight += 1;
  if (offer === undefined) return;
  offer.inFlight += 1;
  offer.server.inFlight += 1;
}

/** @returns the place, or undefined when it was given back, or freed, before */
export function givePlaceBack(registry: Registry, blockId: string, call: string, now: number): Place | undefined {
  const block = registry.blocks.get(blockId);
  const place = block?.open.get(call);
  if (block === undefined || place === undefined) return undefined;
  block.open.delete(call);
  if (block.open.size === 0) {
    registry.blocks.delete(blockId);
    registry.spent.set(blockId, block.expiresAt);
  }
  free(registry, place, now);
  return place;
}

function free(registry: Registry, { service, offer }: Place, now: number): void {
  serviceOf(registry, service, now).inFlight -= 1;
  if (offer === undefined) return;
  offer.inFlight -= 1;
  offer.server.inFlight -= 1;
}

/** True when its calls were counted here, so that those which are not open any more were told of before. */
export function isKnownBlock(registry: Registry, id: string): boolean {
  return registry.blocks.has(id) || registry.spent.has(id);
}

/** The oldest first: enough of them go to stay small. */
function forgetSpent({ spent }: Registry, now: number): void {
  for (const [id, expiresAt] of spent) {
    if (expiresAt > now && spent.size <= MAX_SPENT) return;
    spent.delete(id);
  }
}

export function expireBlocks(registry: Registry, now: number): void {
  forgetSpent(registry, now);
  for (const [id, block] of registry.blocks) {
    if (block.expiresAt > now) continue;
    registry.blocks.delete(id);
    for (const place of block.open.values()) {
      free(registry, place, now);
      if (place.isProbe && place.offer !== undefined) releaseProbe(place.offer.circuit);
    }
  }
}

export function freePlaces({ server }: Offer): number {
  return Math.max(0, server.registration.maxConcurrency - server.inFlight);
}

/** The offer that a report speaks of. */
export function reportedOffer(registry: Registry, server: string | undefined, service: string): Offer | undefined {
  return server === undefined ? undefined : offerOf(registry, server, service);
}

/** A place as it is written down: what it belongs to, and until when it may be held. */
export interface OpenPlace {
  readonly block: string;
  readonly expiresAt: number;
  readonly call: string;
  readonly service: string;
  readonly server?: string;
}

export function openPlaces({ blocks }: Registry): OpenPlace[] {
  return [...blocks].flatMap(([block, { expiresAt, open }]) =>
    Array.from(open, ([call, { service, offer }]) => {
      const place = { block, expiresAt, call, service };
      return offer === undefined ? place : { ...place, server: offer.server.id };
    }),
  );
}

export function restorePlaces(registry: Registry, places: readonly OpenPlace[], now: number): void {
  for (const { block, expiresAt, call, service, server } of places) {
    const offer = reportedOffer(registry, server, service);
    if (expiresAt > now && (server === undefined || offer !== undefined)) {
      hold(registry, blockOf(registry, block, expiresAt), call, { service, offer, isProbe: false }, now);
    }
  }
}
