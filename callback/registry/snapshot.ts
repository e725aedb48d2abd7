/**
 * What of the registry survives the eviction of its owner: who is registered, who leads, and what was
 * said of services, as two texts. Liveness, circuits, latencies and places are built up again: the
 * servers count as heard at the moment of restoring, so a restart makes nobody unhealthy. Pure.
 */
import type { OfferedService } from '../../shared/registry/registration.ts';
import { BALANCING_ALGORITHMS, type BalancingAlgorithm } from '../../shared/service/definition.ts';
import { isCovered } from './liveness.ts';
import { noteResumed } from './parked.ts';
import { addServer, newServer, offerOf, type Registry, type Server } from './server.ts';
import { parseDefinition } from './services.ts';

/** An other version is not read: servers register again within a heartbeat. */
const VERSION = 1;

/** A snapshot may be this old. */
export const SNAPSHOT_MS = 3_600_000;

interface ServerMemory extends Pick<Server, 'id' | 'owner' | 'url' | 'registeredAt' | 'registration' | 'isDraining'> {
  readonly services: readonly OfferedService[];
  readonly lastHeardAt: number;
  readonly sendsHeartbeats: boolean;
  readonly isCovered: boolean;
  readonly checkMs: number;
  /** Whether it answered checks, and how many were tried; by service. */
  readonly checks: Readonly<Record<string, readonly [answered: boolean, tries: number]>>;
}

interface ServersMemory {
  readonly version: number;
  readonly servers: readonly ServerMemory[];
  readonly leaders: Readonly<Record<string, string>>;
}

interface ServicesMemory {
  readonly version: number;
  readonly bookVersion: number;
  readonly put: Readonly<Record<string, unknown>>;
  readonly paused: readonly string[];
  readonly balancing: Readonly<Record<string, BalancingAlgorithm>>;
  readonly resumed?: readonly string[];
}

export function rememberServers(registry: Registry, now: number): string {
  const servers = Array.from(registry.servers.values(), (server): ServerMemory => {
    const { id, owner, url, registeredAt, registration, isDraining, lastHeardAt, sendsHeartbeats } = server;
    return {
      id,
      owner,
      url,
      registeredAt,
      registration,
      isDraining,
      lastHeardAt,
      sendsHeartbeats,
      isCovered: isCovered(registry, server, now),
      checkMs: server.check.intervalMs,
      services: server.offers.map(({ service }) => service),
      checks: Object.fromEntries(
        server.offers.map(({ service, check }) => [service.name, [check.hasAnswered, check.tries] as const]),
      ),
    };
  });
  return JSON.stringify({
    version: VERSION,
    servers,
    leaders: Object.fromEntries(registry.leaders),
  } satisfies ServersMemory);
}

export function rememberServices({ book }: Registry): string {
  return JSON.stringify({
    version: VERSION,
    bookVersion: book.version,
    put: Object.fromEntries([...book.put].map(([name, { sent }]) => [name, sent])),
    paused: [...book.paused],
    balancing: Object.fromEntries(book.balancing),
    resumed: [...book.resumed],
  } satisfies ServicesMemory);
}

/** Servers that were long silent when the owner went to sleep do not rise again. */
export function recallServers(registry: Registry, text: string, now: number): void {
  const memory = JSON.parse(text) as ServersMemory;
  if (memory.version !== VERSION) return;
  for (const known of memory.servers) {
    if (now - known.lastHeardAt > registry.settings.goneAfterMs + SNAPSHOT_MS) continue;
    const server = newServer(known, known.registration, now);
    server.isDraining = known.isDraining;
    server.sendsHeartbeats = known.sendsHeartbeats;
    server.coveredAt = known.isCovered ? now : 0;
    server.check.intervalMs = known.checkMs;
    addServer(registry, server, known.services, now);
    for (const [name, [hasAnswered, tries]] of Object.entries(known.checks)) {
      const offer = offerOf(registry, server.id, name);
      if (offer !== undefined) Object.assign(offer.check, { hasAnswered, tries });
    }
  }
  for (const [cluster, id] of Object.entries(memory.leaders)) {
    if (registry.servers.has(id)) registry.leaders.set(cluster, id);
  }
  registry.changed.servers = false;
}

/** @returns the names of services whose definition is not valid any more */
export function recallServices(registry: Registry, text: string, now: number): string[] {
  const memory = JSON.parse(text) as ServicesMemory;
  if (memory.version !== VERSION) return [];
  const { book } = registry;
  book.version = memory.bookVersion;
  for (const name of memory.paused) book.paused.add(name);
  for (const [name, algorithm] of Object.entries(memory.balancing)) {
    if (BALANCING_ALGORITHMS.includes(algorithm)) book.balancing.set(name, algorithm);
  }
  const invalid: string[] = [];
  for (const [name, sent] of Object.entries(memory.put)) {
    const definition = parseDefinition(registry, name, sent);
    if (definition === undefined) invalid.push(name);
    else book.put.set(name, { sent, definition });
  }
  for (const name of memory.resumed ?? []) noteResumed(registry, name, now);
  registry.changed.services = false;
  return invalid;
}
