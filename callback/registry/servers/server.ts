/** Servers and what they offer, made, indexed and dropped in the registry's state (`state.ts`). */
import type { OfferedService } from '../../../shared/registry/registration.ts';
import { Offer, type Registry, type Server } from '../state.ts';

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
    return known === undefined ? new Offer(server, service, address, now) : Object.assign(known, { service, address });
  });
  index(registry, server);
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

/** @param serverId undefined for a fixed target, which is no offer */
export function offerOf({ servers }: Registry, serverId: string | undefined, service: string): Offer | undefined {
  return servers.get(serverId ?? '')?.offers.find((offer) => offer.service.name === service);
}
