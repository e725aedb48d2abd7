/**
 * What of the registry survives a sleep or a restart of its object, as two texts: who is registered,
 * how each stands, who leads, and what was said of services. Pure.
 *
 * A snapshot that was written before a sleep is complete: what it says is taken as it stands, so sleep
 * hides no silence. One that was written on a change does not know what servers said after it. An object
 * that is restarted from it counts the servers that it had contact with as seen at that moment, once: until that grace
 * is over another restart gives no further one, and a server without contact in it is silent.
 */

import type { OfferedService } from '../../shared/registry/registration.ts';
import type { ServicePause } from '../../shared/registry/rpc.ts';
import { BALANCING_ALGORITHMS, type BalancingAlgorithm } from '../../shared/service/definition.ts';
import { serviceOf } from '../capacity/service.ts';
import { type FlowRecord, flowRecords, restoreFlows } from '../flows/flows.ts';
import { parseDefinition } from '../services/definitions.ts';
import { type Circuit, newCircuit } from './servers/circuit.ts';
import { isCovered } from './servers/liveness.ts';
import { addServer, offerOf } from './servers/server.ts';
import { silentAfterMs } from './settings.ts';
import { type Offer, type Outage, type Ramp, type Registry, Server } from './state.ts';

/** Another version is not read: servers register again within a heartbeat. */
const VERSION = 3;

/** A snapshot may be this old. */
export const SNAPSHOT_MS = 3_600_000;

interface ServerRecord extends Omit<Server, 'offers' | 'inFlight'> {
  readonly isCovered: boolean;
  readonly services: readonly OfferedService[];
  /** By service. */
  readonly offers: Readonly<Record<string, OfferRecord>>;
}

interface OfferRecord extends Pick<Offer, 'check' | 'busyUntil'> {
  /** Absent: closed, and nothing speaks against it. */
  readonly circuit?: Pick<Circuit, 'state' | 'failures' | 'openings' | 'history'>;
}

interface ServersRecord {
  readonly version: number;
  readonly isComplete: boolean;
  /** When the latest grace began. */
  readonly graceAt: number;
  readonly servers: readonly ServerRecord[];
  readonly leaders: Readonly<Record<string, string>>;
  /** Absent in what an older release wrote. */
  readonly flows?: Readonly<Record<string, FlowRecord>>;
  /** Always none: a release that kept places here cannot start without it, and one may be rolled back to. */
  readonly places: readonly never[];
}

interface ServicesRecord {
  readonly version: number;
  readonly catalogVersion: number;
  readonly put: Readonly<Record<string, unknown>>;
  readonly paused: Readonly<Record<string, ServicePause>>;
  readonly balancing: Readonly<Record<string, BalancingAlgorithm>>;
  readonly limited: readonly string[];
  /** Absent in what an older release wrote. */
  readonly ramps?: Readonly<Record<string, Ramp>>;
  /** Absent in what a release wrote that did not keep services that are gone. */
  readonly deleted?: Readonly<Record<string, number>>;
  readonly outages: Readonly<Record<string, Outage>>;
}

export function snapshotServers(registry: Registry, now: number): string {
  const { servers, leaders, stored } = registry;
  return JSON.stringify({
    version: VERSION,
    ...stored,
    servers: Array.from(servers.values(), (server) => recordOf(registry, server, now)),
    leaders: Object.fromEntries(leaders),
    ...(registry.flows.size > 0 && { flows: flowRecords(registry) }),
    places: [],
  } satisfies ServersRecord);
}

function recordOf(registry: Registry, server: Server, now: number): ServerRecord {
  const { offers, inFlight: _, ...lasting } = server;
  return {
    ...lasting,
    isCovered: isCovered(registry, server, now),
    services: offers.map(({ service }) => service),
    offers: Object.fromEntries(offers.map((offer) => [offer.service.name, offerRecordOf(offer)])),
  };
}

function offerRecordOf({ check, busyUntil, circuit }: Offer): OfferRecord {
  const { state, failures, openings, history } = circuit;
  const isNew = history.length === 0 && failures === 0;
  return { check, busyUntil, ...(!isNew && { circuit: { state, failures, openings, history } }) };
}

export function snapshotServices({ catalog, services }: Registry): string {
  return JSON.stringify({
    version: VERSION,
    catalogVersion: catalog.version,
    put: Object.fromEntries([...catalog.put].map(([name, { sent }]) => [name, sent])),
    paused: Object.fromEntries(catalog.paused),
    balancing: Object.fromEntries(catalog.balancing),
    limited: [...catalog.limited],
    ramps: Object.fromEntries(catalog.ramps),
    deleted: Object.fromEntries(catalog.deleted),
    outages: Object.fromEntries([...services].flatMap(([name, { outage }]) => (outage ? [[name, outage]] : []))),
  } satisfies ServicesRecord);
}

/** Servers that were silent for long before do not rise again. */
export function restoreServers(registry: Registry, text: string, now: number): void {
  const record = JSON.parse(text) as ServersRecord;
  if (record.version !== VERSION) return;
  restoreFlows(registry, record.flows ?? {}, now);
  const { goneAfterMs } = registry.settings;
  const isInGrace = now - record.graceAt <= silentAfterMs(registry.settings);
  const graceAt = isInGrace ? record.graceAt : now;
  for (const known of record.servers) {
    if (now - known.lastHeardAt > goneAfterMs + (record.isComplete ? 0 : SNAPSHOT_MS)) continue;
    // No contact during a grace that is over: it is not there.
    const isMissing = !isInGrace && known.lastHeardAt <= record.graceAt;
    const isGraced = !record.isComplete && !known.isSilent && !isMissing;
    restoreServer(registry, known, isGraced ? graceAt : 0, now);
  }
  for (const [cluster, id] of Object.entries(record.leaders)) {
    if (registry.servers.has(id)) registry.leaders.set(cluster, id);
  }
  registry.stored.isComplete = record.isComplete;
  registry.stored.graceAt = record.isComplete ? record.graceAt : graceAt;
  // A grace is written down when it begins, so that it ends.
  registry.changed.servers = !record.isComplete && !isInGrace;
}

/** @param graceAt when it counts as seen at least */
function restoreServer(registry: Registry, known: ServerRecord, graceAt: number, now: number): void {
  const { services, offers, isCovered: wasCovered, ...lasting } = known;
  const server: Server = {
    ...new Server(known, known.registration, now),
    ...lasting,
    lastHeardAt: Math.max(known.lastHeardAt, graceAt),
    lastSpokeAt: Math.max(known.lastSpokeAt, graceAt),
    coveredAt: wasCovered ? Math.max(known.coveredAt, graceAt) : known.coveredAt,
  };
  addServer(registry, server, services, now);
  for (const [name, { circuit, ...rest }] of Object.entries(offers)) {
    const offer = offerOf(registry, server.id, name);
    if (offer === undefined) continue;
    Object.assign(offer, rest);
    if (circuit !== undefined) Object.assign(offer.circuit, { ...newCircuit(now), ...circuit });
    // Calls that tried it are reported to nobody now.
    if (offer.circuit.state.is === 'open') offer.circuit.state.probing = false;
  }
}

/** @returns the names of services whose definition is not valid any more */
export function restoreServices(registry: Registry, text: string, now: number): string[] {
  const record = JSON.parse(text) as ServicesRecord;
  if (record.version !== VERSION) return [];
  const { catalog } = registry;
  catalog.version = record.catalogVersion;
  for (const [name, pause] of Object.entries(record.paused)) catalog.paused.set(name, pause);
  for (const [name, ramp] of Object.entries(record.ramps ?? {})) catalog.ramps.set(name, ramp);
  catalog.limited = new Set(record.limited);
  for (const [name, at] of Object.entries(record.deleted ?? {})) catalog.deleted.set(name, at);
  for (const [name, algorithm] of Object.entries(record.balancing)) {
    if (BALANCING_ALGORITHMS.includes(algorithm)) catalog.balancing.set(name, algorithm);
  }
  const invalid: string[] = [];
  for (const [name, sent] of Object.entries(record.put)) {
    const definition = parseDefinition(registry, name, sent);
    if (definition === undefined) invalid.push(name);
    else catalog.put.set(name, { sent, definition });
  }
  for (const [name, outage] of Object.entries(record.outages)) serviceOf(registry, name, now).outage = outage;
  registry.changed.services = false;
  return invalid;
}
