/**
 * The state of the registry as plain data that one owner (the Durable Object) holds and the functions
 * of this room change in place. A server offers services; health and circuit are kept for each offer,
 * places and liveness for the server. All times are Unix milliseconds, handed in.
 */
import type { OfferedService, Registration } from '../../shared/registry/registration.ts';
import type { ServerAddress } from '../../shared/registry/routing.ts';
import type { BalancingAlgorithm, ServiceDefinition } from '../../shared/service/definition.ts';
import { type Circuit, newCircuit } from './circuit.ts';
import type { Flow } from './flows.ts';
import type { Line } from './line.ts';
import { type Metrics, newMetrics } from './metrics.ts';
import type { LeaseGroup } from './places.ts';
import type { Ramp } from './ramp.ts';
import { newService, type Service } from './service.ts';
import type { RegistrySettings } from './settings.ts';

export interface Server {
  readonly id: string;
  readonly owner: string;
  /** Without a slash at the end; a server is known by it. */
  readonly url: string;
  readonly registeredAt: number;
  /** As it was last registered; its services are `offers`. */
  registration: Omit<Registration, 'url' | 'services'>;
  offers: readonly Offer[];
  /** By itself, by its leader, or by a health check when it sends no heartbeats. */
  lastHeardAt: number;
  /** By itself: what leadership rests on. */
  lastSpokeAt: number;
  /** Its leader said that it is up; 0: never. */
  coveredAt: number;
  /** False: it lives by its health checks. */
  sendsHeartbeats: boolean;
  isDraining: boolean;
  /** As `watchLiveness` found it last. */
  isSilent: boolean;
  down: { readonly by: 'itself' | 'leader'; readonly since: number } | undefined;
  /** When its offers are checked next, if they need it, and the pause after that. */
  check: { dueAt: number; intervalMs: number };
  inFlight: number;
}

/** One service on one server. */
export interface Offer {
  readonly server: Server;
  service: OfferedService;
  address: ServerAddress;
  readonly origin: string;
  readonly circuit: Circuit;
  readonly metrics: Metrics;
  readonly check: OfferCheck;
  /** It said that it is busy until then. */
  busyUntil: number;
  inFlight: number;
  picked: number;
  /** Number of its latest pick among all picks: who was picked longest ago comes first. */
  turn: number;
  /** Of the weighted turn. */
  credit: number;
}

export interface OfferCheck {
  /** It answered at least one check: from then on its checks are believed. */
  hasAnswered: boolean;
  tries: number;
  /** In a row. */
  failures: number;
  since: number;
  why: string;
}

/** Service definitions that were put at run time, and what else was said of services. */
export interface Catalog {
  version: number;
  readonly put: Map<string, { readonly sent: unknown; readonly definition: ServiceDefinition }>;
  readonly paused: Map<string, Pause>;
  readonly balancing: Map<string, BalancingAlgorithm>;
  /** Services that were resumed of late, and begin slowly. */
  readonly ramps: Map<string, Ramp>;
  /** Services with a fixed target whose calls must be asked for, although no limit of their own says so. */
  limited: ReadonlySet<string>;
  /** When names were deleted that nobody has defined since, the latest last: tasks of before may still be in a queue. */
  readonly deleted: Map<string, number>;
}

export interface Pause {
  /** Resumed by itself then, Unix ms. */
  readonly until?: number | undefined;
  readonly reason?: string | undefined;
}

/** An event for the log. */
export interface Notice {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Registry {
  readonly settings: RegistrySettings;
  /** By id. */
  readonly servers: Map<string, Server>;
  /** By service. */
  readonly offers: Map<string, Offer[]>;
  /** The leader's id by cluster. */
  readonly leaders: Map<string, string>;
  readonly services: Map<string, Service>;
  /** By name; in the objects of flows alone. */
  readonly flows: Map<string, Flow>;
  readonly catalog: Catalog;
  readonly leases: Map<string, LeaseGroup>;
  /** Leases whose calls were all given back, and when they expire. */
  readonly spent: Map<string, number>;
  /** Leases whose callers have gone, and when they expire. */
  readonly givenUp: Map<string, number>;
  /** By name: lines in which tasks may stand. */
  readonly lines: Map<string, Line>;
  /** Calls that were given a server so far. */
  picks: number;
  /** What the snapshot does not hold yet; whether a check is due sooner than it was, and who must ask for its calls. */
  readonly changed: { servers: boolean; heard: boolean; services: boolean; checks: boolean; limits: boolean };
  /** Of the snapshot of servers: whether nothing was left out, and when the latest grace began (see `snapshot.ts`). */
  readonly stored: { isComplete: boolean; graceAt: number };
  /** What people should know, once; its owner takes it out. */
  readonly notices: Notice[];
}

/** A new server is first checked after this; its leader may have spoken for it by then. */
export const SHAKY_CHECK_MS = 15_000;

export function emptyRegistry(settings: RegistrySettings): Registry {
  return {
    settings,
    servers: new Map(),
    offers: new Map(),
    leaders: new Map(),
    services: new Map(),
    flows: new Map(),
    catalog: {
      version: 0,
      put: new Map(),
      paused: new Map(),
      balancing: new Map(),
      ramps: new Map(),
      limited: new Set(),
      deleted: new Map(),
    },
    leases: new Map(),
    spent: new Map(),
    givenUp: new Map(),
    lines: new Map(),
    picks: 0,
    changed: { servers: false, heard: false, services: false, checks: false, limits: false },
    stored: { isComplete: false, graceAt: 0 },
    notices: [],
  };
}

/** @param url as `serverUrl` writes it */
export function newServer(
  identity: Pick<Server, 'id' | 'owner' | 'url' | 'registeredAt'>,
  registration: Server['registration'],
  now: number,
): Server {
  return {
    ...identity,
    registration,
    offers: [],
    lastHeardAt: now,
    lastSpokeAt: now,
    coveredAt: 0,
    sendsHeartbeats: false,
    isDraining: false,
    isSilent: false,
    down: undefined,
    check: { dueAt: now + SHAKY_CHECK_MS, intervalMs: SHAKY_CHECK_MS },
    inFlight: 0,
  };
}

/** One notation for each address: lower-case host, no slash at the end. */
export function serverUrl(url: string): string {
  return new URL(url).href.replace(/\/+$/, '');
}

/** Below the server's URL, or on another port of its host. */
export function baseUrlOf(url: string, { path, port }: OfferedService): string {
  const { protocol, hostname } = new URL(url);
  const root = port === undefined ? url : `${protocol}//${hostname}:${port}`;
  return (root + path).replace(/\/+$/, '');
}

/** Makes the server offer these; what is known of an offer at the same address stays. */
export function setOffers(registry: Registry, server: Server, services: readonly OfferedService[], now: number): void {
  unindex(registry, server);
  const before = new Map(server.offers.map((offer) => [offer.address.baseUrl + offer.service.name, offer]));
  server.offers = services.map((service) => {
    const baseUrl = baseUrlOf(server.url, service);
    const { tier, capabilities } = server.registration;
    const address = { id: server.id, baseUrl, tier, capabilities };
    const known = before.get(baseUrl + service.name);
    return known === undefined ? newOffer(server, service, address, now) : Object.assign(known, { service, address });
  });
  index(registry, server);
}

function newOffer(server: Server, service: OfferedService, address: ServerAddress, now: number): Offer {
  return {
    server,
    service,
    address,
    origin: new URL(address.baseUrl).origin,
    circuit: newCircuit(now),
    metrics: newMetrics(),
    check: { hasAnswered: false, tries: 0, failures: 0, since: now, why: '' },
    busyUntil: 0,
    inFlight: 0,
    picked: 0,
    turn: 0,
    credit: 0,
  };
}

/** Takes the server's offers out of the index, or puts them in. */
function unindex(registry: Registry, { offers }: Server): void {
  for (const offer of offers) {
    const list = registry.offers.get(offer.service.name) ?? [];
    const at = list.indexOf(offer);
    if (at >= 0) list.splice(at, 1);
    if (list.length === 0) registry.offers.delete(offer.service.name);
  }
}

function index(registry: Registry, { offers }: Server): void {
  for (const offer of offers) {
    const list = registry.offers.get(offer.service.name);
    if (list === undefined) registry.offers.set(offer.service.name, [offer]);
    else list.push(offer);
  }
}

export function addServer(registry: Registry, server: Server, services: readonly OfferedService[], now: number): void {
  registry.servers.set(server.id, server);
  registry.changed.servers = true;
  setOffers(registry, server, services, now);
}

export function dropServer(registry: Registry, id: string): void {
  const server = registry.servers.get(id);
  if (server !== undefined) unindex(registry, server);
  registry.servers.delete(id);
  for (const [cluster, leader] of registry.leaders) if (leader === id) registry.leaders.delete(cluster);
  registry.changed.servers = true;
}

export function offersOf(registry: Registry, service: string): readonly Offer[] {
  return registry.offers.get(service) ?? [];
}

export function offerOf(registry: Registry, serverId: string, service: string): Offer | undefined {
  return registry.servers.get(serverId)?.offers.find((offer) => offer.service.name === service);
}

/** The running state of a service; made on first use. */
export function serviceOf(registry: Registry, name: string, now: number): Service {
  const known = registry.services.get(name);
  if (known !== undefined) return known;
  const service = newService(now);
  registry.services.set(name, service);
  return service;
}
