/**
 * Calls under way, over all shards. A batch takes its places under one lease (rule R22): asked again it
 * gets the same ones, it gives them back one by one, and what a crashed consumer never gives back is
 * freed when the lease expires. A lease that was given up gets none, however late its question comes.
 * Deterministic, without I/O.
 */
import { beginCall, releaseProbe } from './circuit.ts';
import { limitsInForce } from './ramp.ts';
import { type Offer, offerOf, type Registry, serviceOf } from './server.ts';
import { noteEnd, noteStart } from './service.ts';

export interface Place {
  readonly service: string;
  /** Undefined for a service with a fixed target. */
  readonly offer: Offer | undefined;
  readonly startedAt: number;
  /** Of the limiter that a fixed address has, once it has said that it had enough. */
  readonly ticket?: number | undefined;
  /** It tries a circuit that was open. */
  isProbe: boolean;
}

export interface LeaseGroup {
  expiresAt: number;
  /** By call. */
  readonly open: Map<string, Place>;
}

/** More are forgotten before their time. */
const MAX_SPENT = 10_000;

export function leaseOf({ leases }: Registry, id: string, expiresAt: number): LeaseGroup {
  const lease = leases.get(id) ?? { expiresAt, open: new Map() };
  lease.expiresAt = Math.max(lease.expiresAt, expiresAt);
  leases.set(id, lease);
  return lease;
}

export function takePlace(
  registry: Registry,
  lease: LeaseGroup,
  call: string,
  service: string,
  offer: Offer | undefined,
  now: number,
): void {
  const isProbe = offer !== undefined && beginCall(offer.circuit, now);
  const ticket = serviceOf(registry, service, now).limiter?.limiter.start(now);
  hold(registry, lease, call, { service, offer, startedAt: now, ticket, isProbe }, now);
}

function hold(registry: Registry, lease: LeaseGroup, call: string, place: Place, now: number): void {
  const { service, offer, startedAt } = place;
  lease.open.set(call, place);
  noteStart(serviceOf(registry, service, now), limitsInForce(registry, service, now), startedAt);
  if (offer === undefined) return;
  offer.inFlight += 1;
  offer.server.inFlight += 1;
}

/** @returns the place, or undefined when it was given back, or freed, before */
export function givePlaceBack(registry: Registry, leaseId: string, call: string, now: number): Place | undefined {
  const lease = registry.leases.get(leaseId);
  const place = lease?.open.get(call);
  if (lease === undefined || place === undefined) return undefined;
  lease.open.delete(call);
  if (lease.open.size === 0) {
    registry.leases.delete(leaseId);
    registry.spent.set(leaseId, lease.expiresAt);
  }
  free(registry, place, now);
  return place;
}

function free(registry: Registry, { service, offer, startedAt }: Place, now: number): void {
  noteEnd(serviceOf(registry, service, now), startedAt);
  if (offer === undefined) return;
  offer.inFlight -= 1;
  offer.server.inFlight -= 1;
}

/** Its caller does not wait for an answer any more: what it was given is unused, and it is given nothing later. */
export function giveUpLease(registry: Registry, id: string, expiresAt: number, now: number): void {
  endLease(registry, id, now);
  registry.givenUp.set(id, expiresAt);
}

function endLease(registry: Registry, id: string, now: number): void {
  const lease = registry.leases.get(id);
  registry.leases.delete(id);
  for (const place of lease?.open.values() ?? []) {
    free(registry, place, now);
    endTicket(registry, place, 'unknown', now);
    if (place.isProbe && place.offer !== undefined) releaseProbe(place.offer.circuit);
  }
}

/** What a call said of the limit of its address. */
export function endTicket(registry: Registry, place: Place, kind: 'let-in' | 'unknown' | 'unused', now: number): void {
  if (place.ticket === undefined) return;
  registry.services.get(place.service)?.limiter?.limiter.end(place.ticket, { kind }, now);
}

/** The task has ended although its call goes on: whoever made the call gives back nothing later. */
export function endTask(registry: Registry, task: string, now: number): void {
  for (const [id, { open }] of registry.leases) {
    const place = open.has(task) ? givePlaceBack(registry, id, task, now) : undefined;
    if (place !== undefined) endTicket(registry, place, 'let-in', now);
  }
}

/** True when its calls were counted here, so that those which are not open any more were told of before. */
export function isKnownLease(registry: Registry, id: string): boolean {
  return registry.leases.has(id) || registry.spent.has(id) || registry.givenUp.has(id);
}

export function expireLeases(registry: Registry, now: number): void {
  for (const ended of [registry.spent, registry.givenUp]) {
    // The oldest first: enough of them go to stay small.
    for (const [id, expiresAt] of ended) {
      if (expiresAt > now && ended.size <= MAX_SPENT) break;
      ended.delete(id);
    }
  }
  for (const [id, { expiresAt }] of registry.leases) if (expiresAt <= now) endLease(registry, id, now);
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
  readonly lease: string;
  readonly expiresAt: number;
  readonly call: string;
  readonly service: string;
  readonly startedAt: number;
  readonly server?: string;
}

export function openPlaces({ leases }: Registry): OpenPlace[] {
  return [...leases].flatMap(([lease, { expiresAt, open }]) =>
    Array.from(open, ([call, { service, startedAt, offer }]) => {
      const place = { lease, expiresAt, call, service, startedAt };
      return offer === undefined ? place : { ...place, server: offer.server.id };
    }),
  );
}

export function restorePlaces(registry: Registry, places: readonly OpenPlace[], now: number): void {
  for (const { lease, expiresAt, call, service, startedAt, server } of places) {
    const offer = reportedOffer(registry, server, service);
    if (expiresAt > now && (server === undefined || offer !== undefined)) {
      hold(registry, leaseOf(registry, lease, expiresAt), call, { service, offer, startedAt, isProbe: false }, now);
    }
  }
}
