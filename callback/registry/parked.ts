/**
 * Services that may have parked tasks (rule R20), and when those are released: once a server that was
 * not there comes back, a chunk a second of about twice the places that are free, until none is left.
 * Tasks that are parked again although a server is there (their wishes are not met) slow the release
 * down, so that it ends in the pace of the fallback. Pure; when a service is first offered after a
 * restart it may have some.
 */
import { circuitState } from './circuit.ts';
import { isBack } from './liveness.ts';
import { freePlaces } from './places.ts';
import { offersOf, type Registry } from './server.ts';
import { definitionOf, hasFixedTarget } from './services.ts';

export interface ParkedService {
  /** Servers that were there when tasks were parked last, or released: their return is no news. */
  seen: Set<string>;
  /** When the next chunk goes; undefined: nobody is back. */
  releaseAt: number | undefined;
  pauseMs: number;
  /** Parked again since the last chunk. */
  again: number;
  /** When a task was told to park; its row may be written a little later. */
  parkedAt: number;
}

export interface DueRelease {
  readonly service: string;
  readonly limit: number;
}

const PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 300_000;
const MIN_CHUNK = 10;
const MAX_CHUNK = 1_000;
/** So long after it was told a task is parked in its row for sure. */
const SETTLED_AFTER_MS = 15_000;
/** Of a fixed target. */
const FIXED_CHUNK = 500;

/** A task of the service is parked. */
export function noteParked(registry: Registry, service: string, now: number): void {
  if (definitionOf(registry, service) === undefined) return;
  const parked = registry.parked.get(service);
  if (parked === undefined) registry.parked.set(service, newParked(backOf(registry, service, now), now));
  else Object.assign(parked, { again: parked.again + 1, parkedAt: now });
}

function newParked(seen: Set<string>, parkedAt: number): ParkedService {
  return { seen, releaseAt: undefined, pauseMs: PAUSE_MS, again: 0, parkedAt };
}

/** The server offers something else than it did: it is news to those who are parked. */
export function noteChanged(registry: Registry, serverId: string): void {
  for (const parked of registry.parked.values()) parked.seen.delete(serverId);
}

/**
 * The service was resumed, or defined anew: its tasks go, whoever is there. Remembered until none is
 * left, over a restart too.
 */
export function noteResumed(registry: Registry, service: string, now: number): void {
  if (definitionOf(registry, service) === undefined || registry.catalog.paused.has(service)) return;
  registry.catalog.resumed.add(service);
  registry.changed.services = true;
  registry.parked.set(service, { ...newParked(backOf(registry, service, now), now), releaseAt: now });
}

function backOf(registry: Registry, service: string, now: number): Set<string> {
  return new Set(
    offersOf(registry, service)
      .filter((offer) => isBack(registry, offer, now))
      .map(({ server }) => server.id),
  );
}

/** Begins a release for every service that a server came back for. */
export function noticeReturns(registry: Registry, now: number): void {
  for (const service of registry.offers.keys()) {
    if (registry.released.has(service) || definitionOf(registry, service) === undefined) continue;
    registry.released.add(service);
    if (!registry.parked.has(service)) registry.parked.set(service, newParked(new Set(), 0));
  }
  for (const [service, parked] of registry.parked) {
    const back = backOf(registry, service, now);
    const isNews = [...back].some((id) => !parked.seen.has(id));
    parked.seen = back;
    if (!isNews) continue;
    parked.pauseMs = PAUSE_MS;
    parked.again = 0;
    parked.releaseAt = Math.min(parked.releaseAt ?? now, now);
  }
}

export function takeDueReleases(registry: Registry, now: number): DueRelease[] {
  return [...registry.parked].flatMap(([service, parked]) => {
    if (parked.releaseAt === undefined || parked.releaseAt > now) return [];
    const limit = chunkOf(registry, service, now);
    parked.releaseAt = limit === 0 ? undefined : now + parked.pauseMs;
    return limit === 0 ? [] : [{ service, limit }];
  });
}

/** 0: nobody is there to take one. */
function chunkOf(registry: Registry, service: string, now: number): number {
  if (registry.catalog.paused.has(service)) return 0;
  if (hasFixedTarget(definitionOf(registry, service))) return FIXED_CHUNK;
  const offers = offersOf(registry, service).filter((offer) => isBack(registry, offer, now));
  if (offers.length === 0) return 0;
  const free = offers.reduce((sum, offer) => sum + freePlaces(offer), 0);
  return Math.min(MAX_CHUNK, Math.max(MIN_CHUNK, 2 * free));
}

/** @param released how many went; undefined: the release failed */
export function noteReleased(registry: Registry, due: DueRelease, released: number | undefined, now: number): void {
  const parked = registry.parked.get(due.service);
  if (parked === undefined) return;
  const isSlow = released === undefined || released === 0 || parked.again > released / 2;
  const isSettled = now - parked.parkedAt > SETTLED_AFTER_MS;
  if (released !== undefined && released < due.limit && parked.again === 0 && isSettled) {
    registry.parked.delete(due.service);
    if (registry.catalog.resumed.delete(due.service)) registry.changed.services = true;
    return;
  }
  parked.again = 0;
  parked.pauseMs = isSlow ? Math.min(MAX_PAUSE_MS, 2 * parked.pauseMs) : PAUSE_MS;
  parked.releaseAt = now + parked.pauseMs;
}

/** The next chunk, or the next circuit that may be tried for a service with parked tasks. */
export function earliestReleaseAt(registry: Registry, now: number): number | undefined {
  const times = [...registry.parked].flatMap(([service, { releaseAt }]) => [
    ...(releaseAt === undefined ? [] : [releaseAt]),
    ...offersOf(registry, service).flatMap(({ circuit }) =>
      circuit.state.is === 'open' && circuitState(circuit, now) === 'open' ? [circuit.state.until] : [],
    ),
  ]);
  return times.length === 0 ? undefined : Math.min(...times);
}
