/** Servers, their metrics and the balancer as people see them. Pure. */

import type {
  Answered,
  BalancerView,
  OfferedServiceView,
  RegistryCaller,
  ServerMetrics,
  ServerView,
  ServiceDetail,
  ServiceView,
} from '../../shared/registry/rpc.ts';
import { limitsInForce } from '../capacity/limits.ts';
import { inFlightOf } from '../capacity/service.ts';
import { balancingOf, definitionOf, hasFixedTarget, pauseOf, serviceNames } from '../services/definitions.ts';
import { noSuchService } from './refusal.ts';
import { circuitState } from './servers/circuit.ts';
import { nextCheckAt } from './servers/health-check.ts';
import { isLeader } from './servers/leadership.ts';
import { livenessStatusOf, offerProblem, takesCalls } from './servers/liveness.ts';
import { isOwn } from './servers/members.ts';
import { summarize } from './servers/metrics.ts';
import { offersOf } from './servers/server.ts';
import type { Offer, Registry, Server } from './state.ts';

export function viewServer(registry: Registry, server: Server, now: number): ServerView {
  const { id, url, owner, registration, inFlight, registeredAt, lastHeardAt } = server;
  const { state, why } = livenessStatusOf(registry, server, now);
  return {
    id,
    url,
    owner,
    cluster: registration.cluster,
    state,
    why,
    services: server.offers.map((offer) => viewOffer(registry, offer, state === 'unhealthy' ? why : undefined, now)),
    tier: registration.tier,
    weight: registration.weight,
    maxConcurrency: registration.maxConcurrency,
    capabilities: registration.capabilities,
    isHeartbeatLeader: isLeader(registry, server),
    inFlight,
    registeredAt,
    lastHeardAt,
    nextCheckAt: nextCheckAt(registry, server, now),
  };
}

export function viewServers(registry: Registry, caller: RegistryCaller, now: number): ServerView[] {
  return [...registry.servers.values()]
    .filter((server) => isOwn(server, caller))
    .map((server) => viewServer(registry, server, now));
}

function viewOffer(registry: Registry, offer: Offer, whyServer: string | undefined, now: number): OfferedServiceView {
  const { circuit, address, service, inFlight } = offer;
  const problem = offerProblem(registry, offer);
  const state = circuitState(circuit, now);
  return {
    name: service.name,
    baseUrl: address.baseUrl,
    version: service.version,
    healthy: (whyServer ?? problem) === undefined,
    why: whyServer ?? problem,
    circuit: {
      state,
      until: circuit.state.is === 'open' && state === 'open' ? circuit.state.until : undefined,
      history: circuit.history,
    },
    inFlight,
  };
}

export function viewMetrics({ id, offers, registeredAt }: Server, now: number): ServerMetrics {
  return {
    id,
    services: offers.map(({ service, metrics, inFlight }) => ({
      name: service.name,
      ...summarize(metrics, registeredAt, now),
      inFlight,
      ewmaMs: metrics.ewmaMs === 0 ? undefined : metrics.ewmaMs,
    })),
  };
}

/** Of the services whose calls are balanced. */
export function viewBalancer(registry: Registry): BalancerView {
  const names = serviceNames(registry).filter((name) => !hasFixedTarget(definitionOf(registry, name)));
  return {
    services: names.map((service) => ({
      service,
      algorithm: balancingOf(registry, service),
      servers: offersOf(registry, service).map(({ server, picked, inFlight }) => ({
        id: server.id,
        url: server.url,
        picked,
        inFlight,
      })),
    })),
  };
}

export function viewServices(registry: Registry, now: number): ServiceView[] {
  return serviceNames(registry).map((name) => viewOf(registry, name, now));
}

export function viewService(registry: Registry, name: string, now: number): Answered<ServiceDetail> {
  const definition = definitionOf(registry, name);
  if (definition === undefined && offersOf(registry, name).length === 0) return noSuchService(name);
  const { catalog, settings } = registry;
  const isOverridden = catalog.put.has(name) && Object.hasOwn(settings.services, name);
  const ramp = catalog.ramps.get(name);
  const perSecond = limitsInForce(registry, name, now).requestsPerSecond;
  return {
    ok: true,
    value: {
      ...viewOf(registry, name, now),
      definition,
      overridden: isOverridden ? settings.services[name] : undefined,
      ramp: ramp && perSecond !== undefined ? { perSecond, until: ramp.since + ramp.seconds * 1000 } : undefined,
    },
  };
}

function viewOf(registry: Registry, name: string, now: number): ServiceView {
  const offers = offersOf(registry, name);
  const pause = pauseOf(registry, name, now);
  const outage = registry.services.get(name)?.outage;
  return {
    name,
    source: sourceOf(registry, name),
    paused: pause !== undefined,
    pause,
    unreachable: outage && { since: outage.since, why: outage.why },
    balancing: balancingOf(registry, name),
    target: hasFixedTarget(definitionOf(registry, name)) ? 'fixed' : 'servers',
    servers: {
      total: offers.length,
      available: offers.filter((offer) => takesCalls(registry, offer, now)).length,
    },
    inFlight: inFlightOf(registry, name),
  };
}

function sourceOf({ catalog, settings }: Registry, name: string): ServiceView['source'] {
  if (catalog.put.has(name)) return 'api';
  return Object.hasOwn(settings.services, name) ? 'file' : 'servers';
}
