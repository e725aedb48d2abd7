/**
 * Calls under way, over all shards. A question's places are under one lease (rule R22): asked again it
 * gets the same ones, releases them one by one, and what a crashed consumer never releases is freed
 * when the lease expires. A lease that is over gets none, however late its question comes. Short calls
 * of one batch may follow one another in a place, without a question in between.
 * Deterministic, without I/O.
 */
import type { Invocation } from '../../shared/registry/routing.ts';
import { beginCall, releaseProbe } from '../registry/servers/circuit.ts';
import { offerOf } from '../registry/servers/server.ts';
import type { LeaseGroup, Offer, Place, Registry } from '../registry/state.ts';
import { limitsInForce } from './limits.ts';
import { noteLetIn, noteStart, serviceOf } from './service.ts';
import { keepInvocation, leaveInvocation } from './shares.ts';

/** More are forgotten before their time. */
const MAX_ENDED = 10_000;

export function leaseOf({ leases }: Registry, id: string, expiresAt: number, invocation?: Invocation): LeaseGroup {
  const lease = leases.get(id) ?? { id, expiresAt, invocation, open: new Map(), isKept: false };
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
): Place {
  const isProbe = offer !== undefined && beginCall(offer.circuit, now);
  const ticket = serviceOf(registry, service, now).limiter?.limiter.start(now);
  const callMs = offer?.metrics.ewmaMs || serviceOf(registry, service, now).meanMs;
  const place: Place = { service, offer, calls: [call], left: 1, beganAt: now, callMs, ticket, isProbe };
  hold(registry, lease, place, now);
  return place;
}

function hold(registry: Registry, lease: LeaseGroup, place: Place, now: number): void {
  const { offer, calls } = place;
  const { invocation } = lease;
  for (const call of calls) lease.open.set(call, place);
  const service = serviceOf(registry, place.service, now);
  const limits = limitsInForce(registry, place.service, now);
  noteStart(service, place, limits);
  lease.isKept ||= limits.maxConcurrency !== undefined;
  if (invocation !== undefined && keepInvocation(service, invocation)) registry.changed.limits = true;
  if (offer === undefined) return;
  offer.inFlight += 1;
  offer.server.inFlight += 1;
}

/**
 * Lets a call follow those that have a place of the same lease: in the one that is free first.
 * @returns the place; undefined when it would have to wait longer than `withinMs`, or behind too many
 */
export function followInPlace(
  lease: LeaseGroup,
  call: string,
  service: string,
  now: number,
  limits: { readonly withinMs: number; readonly calls: number },
): Place | undefined {
  let first: Place | undefined;
  for (const place of new Set(lease.open.values())) {
    if (place.service !== service || place.isProbe || place.ticket !== undefined || place.callMs === 0) continue;
    if (place.left >= limits.calls) continue;
    if (first === undefined || freeAt(place) < freeAt(first)) first = place;
  }
  if (first === undefined || freeAt(first) > now + limits.withinMs) return undefined;
  first.calls.push(call);
  first.left += 1;
  lease.open.set(call, first);
  return first;
}

/** When all its calls are expected to have ended. */
function freeAt({ beganAt, callMs, left }: Place): number {
  return beganAt + left * callMs;
}

/**
 * @param tookMs as long as the call had its place
 * @returns the place, or undefined when it was released, or freed, before
 */
export function releasePlace(
  registry: Registry,
  leaseId: string,
  call: string,
  now: number,
  tookMs = 0,
): Place | undefined {
  const lease = registry.leases.get(leaseId);
  const place = lease?.open.get(call);
  if (lease === undefined || place === undefined) return undefined;
  lease.open.delete(call);
  noteKept(registry, lease);
  if (lease.open.size === 0) {
    registry.leases.delete(leaseId);
    registry.ended.set(leaseId, lease.expiresAt);
  }
  place.left -= 1;
  place.beganAt += tookMs;
  if (place.left === 0) free(registry, lease, place, now);
  return place;
}

function free(registry: Registry, { invocation }: LeaseGroup, place: Place, now: number): void {
  const { service: name, offer } = place;
  const service = serviceOf(registry, name, now);
  service.running.delete(place);
  if (invocation !== undefined && leaveInvocation(service, invocation)) registry.changed.limits = true;
  if (offer === undefined) return;
  offer.inFlight -= 1;
  offer.server.inFlight -= 1;
}

/** Its caller does not wait for an answer any more: what it was given is unused, and it is given nothing later. */
export function giveUpLease(registry: Registry, id: string, expiresAt: number, now: number): void {
  endLease(registry, id, now);
  registry.ended.set(id, expiresAt);
}

function endLease(registry: Registry, id: string, now: number): void {
  const lease = registry.leases.get(id);
  if (lease === undefined) return;
  registry.leases.delete(id);
  noteKept(registry, lease);
  for (const place of new Set(lease.open.values())) {
    free(registry, lease, place, now);
    endTicket(registry, place, 'unknown', now);
    if (place.isProbe && place.offer !== undefined) releaseProbe(place.offer.circuit);
  }
}

/** What a call said of the limit of its address. */
export function endTicket(registry: Registry, place: Place, kind: 'let-in' | 'unknown' | 'unused', now: number): void {
  if (place.ticket === undefined) return;
  const service = registry.services.get(place.service);
  if (kind === 'let-in') noteLetIn(service, place.ticket, now);
  else service?.limiter?.limiter.end(place.ticket, { kind }, now);
}

/** The task has ended although its call goes on: whoever made the call releases nothing later. */
export function endTask(registry: Registry, task: string, now: number): void {
  for (const [id, { open }] of registry.leases) {
    const place = open.has(task) ? releasePlace(registry, id, task, now) : undefined;
    if (place !== undefined) endTicket(registry, place, 'let-in', now);
  }
}

/** True when its calls were counted here, so that those which are not open any more were told of before. */
export function isKnownLease(registry: Registry, id: string): boolean {
  return registry.leases.has(id) || registry.ended.has(id);
}

export function expireLeases(registry: Registry, now: number): void {
  const { leases } = registry;
  // The oldest first: enough of them go to stay small.
  for (const questions of [registry.ended, registry.answered]) {
    for (const [id, expiresAt] of questions) {
      if (expiresAt > now && questions.size <= MAX_ENDED) break;
      questions.delete(id);
    }
  }
  for (const [id, { expiresAt }] of leases) if (expiresAt <= now) endLease(registry, id, now);
}

export function freePlaces({ server }: Offer): number {
  return Math.max(0, server.registration.maxConcurrency - server.inFlight);
}

/** A place as it is written down. */
interface PlaceRecord extends Pick<Place, 'service' | 'calls' | 'beganAt' | 'callMs'> {
  readonly server?: string;
}

interface LeaseRecord extends Pick<LeaseGroup, 'id' | 'expiresAt' | 'invocation'> {
  readonly places: readonly PlaceRecord[];
}

/** What of leases outlives a restart of the object that gives them. */
export interface LeaseStore {
  read(): readonly string[];
  /** @param text undefined: it is over */
  write(id: string, text: string | undefined): void;
}

/** It has changed. */
export function noteKept({ unkept }: Registry, lease: LeaseGroup): void {
  if (lease.isKept) unkept.add(lease);
}

/** Before anybody hears of them: the runtime holds answers back until what was written is safe (decision 0093). */
export function writeKept({ leases, unkept }: Registry, store: LeaseStore): void {
  for (const lease of unkept) store.write(lease.id, leases.get(lease.id) === lease ? textOf(lease) : undefined);
  unkept.clear();
}

/** The object may go to sleep. */
export function keepAll(registry: Registry, store: LeaseStore): void {
  for (const lease of registry.leases.values()) {
    lease.isKept = true;
    noteKept(registry, lease);
  }
  writeKept(registry, store);
}

function textOf({ id, expiresAt, invocation, open }: LeaseGroup): string {
  const places = Array.from(new Set(open.values()), ({ service, beganAt, callMs, offer, calls }) => ({
    service,
    beganAt,
    callMs,
    calls: calls.filter((call) => open.has(call)),
    ...(offer !== undefined && { server: offer.server.id }),
  }));
  return JSON.stringify({ id, expiresAt, invocation, places } satisfies LeaseRecord);
}

/** What was written down of leases before a sleep or a restart; servers are known by now. One that cannot be read costs only itself (rule R21). */
export function restoreLeases(registry: Registry, store: LeaseStore, now: number): void {
  for (const text of store.read()) {
    try {
      restoreLease(registry, JSON.parse(text) as LeaseRecord, now);
    } catch {
      registry.notices.push({ event: 'lease.unreadable', fields: {} });
    }
  }
  expireLeases(registry, now);
}

function restoreLease(registry: Registry, { id, expiresAt, invocation, places }: LeaseRecord, now: number): void {
  const lease = leaseOf(registry, id, expiresAt, invocation);
  lease.isKept = true;
  for (const { server, calls, ...place } of places) {
    const offer = offerOf(registry, server, place.service);
    if (server !== undefined && offer === undefined) continue;
    hold(registry, lease, { ...place, offer, calls, left: calls.length, isProbe: false }, now);
  }
}
