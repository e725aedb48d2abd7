/**
 * Servers come and go: registered (again with the same URL: the same server), drained for maintenance,
 * removed. Whose server it is decides who may do that. Pure over the registry's state.
 */

import type { OfferedService, Registration } from '../../../shared/registry/registration.ts';
import type { Answered, Registered, RegistryCaller } from '../../../shared/registry/rpc.ts';
import { targetProblem } from '../../../shared/service/target.ts';
import { hastenLines } from '../../capacity/line.ts';
import { refuse } from '../refusal.ts';
import { type Registry, Server, SHAKY_CHECK_MS } from '../state.ts';
import { answerTo, leaveLeadership, settleLeadership } from './leadership.ts';
import { noteContact, watchLiveness } from './liveness.ts';
import { addServer, baseUrlOf, dropServer, serverUrl, setOffers } from './server.ts';

/** One object and one snapshot hold them all. */
const MAX_SERVERS = 2_000;

/** Whoever has a token must not crowd out the others. */
const MAX_SERVERS_OF_OWNER = 200;
const MAX_OFFERS_OF_OWNER = 1_000;

/** @returns the server, or nothing when there is none that the caller may see */
export function findServer(registry: Registry, id: string, caller: RegistryCaller): Server | undefined {
  const server = registry.servers.get(id);
  return server !== undefined && isOwn(server, caller) ? server : undefined;
}

export function isOwn({ owner }: Server, { subject, isAdmin }: RegistryCaller): boolean {
  return isAdmin || owner === subject;
}

/** @param freshId the id that a new server gets */
export function register(
  registry: Registry,
  registration: Registration,
  caller: RegistryCaller,
  freshId: string,
  now: number,
): Answered<Registered> {
  watchLiveness(registry, now);
  const { url: sentUrl, services, ...rest } = registration;
  const url = serverUrl(sentUrl);
  const problem = addressProblem(registry, url, services);
  if (problem !== undefined) return refuse('invalid-request', problem);
  const known = [...registry.servers.values()].find((server) => server.url === url);
  if (known !== undefined && !isOwn(known, caller)) {
    return refuse('forbidden', 'A server with this URL is registered by somebody else.');
  }
  const crowd = crowdProblem(registry, known, known?.owner ?? caller.subject, services);
  if (crowd !== undefined) return refuse('invalid-request', crowd);
  const server = known ?? new Server({ id: freshId, owner: caller.subject, url, registeredAt: now }, rest, now);
  if (known === undefined) {
    addServer(registry, server, services, now);
    registry.notices.push({ event: 'server.registered', fields: { id: server.id, owner: server.owner, url } });
  } else {
    renew(registry, known, rest, services, now);
  }
  settleLeadership(registry, server, now);
  const { members: _members, ...answer } = answerTo(registry, server, now);
  return { ok: true, value: { id: server.id, created: known === undefined, ...answer } };
}

/** What the same URL registers again with: it is there now, and well as far as it knows. */
function renew(
  registry: Registry,
  server: Server,
  registration: Server['registration'],
  services: readonly OfferedService[],
  now: number,
): void {
  if (server.registration.cluster !== registration.cluster) leaveLeadership(registry, server);
  change(registry, server, registration, services, now);
  noteContact(registry, server, now);
  server.lastSpokeAt = now;
  if (server.down !== undefined) registry.changed.servers = true;
  server.down = undefined;
  server.check = { dueAt: now + SHAKY_CHECK_MS, intervalMs: SHAKY_CHECK_MS };
}

/** Tasks that were parked may run on it now. */
function change(
  registry: Registry,
  server: Server,
  registration: Server['registration'],
  services: readonly OfferedService[],
  now: number,
): void {
  const before = describe(server);
  server.registration = registration;
  setOffers(registry, server, services, now);
  if (describe(server) === before) return;
  registry.changed.servers = true;
  hastenLines(registry, undefined);
}

function describe({ registration, offers }: Server): string {
  return JSON.stringify([registration, offers.map(({ service }) => service)]);
}

/** Its services as its latest heartbeat says. @returns what is wrong with them */
export function changeServices(
  registry: Registry,
  server: Server,
  services: readonly OfferedService[],
  now: number,
): string | undefined {
  const problem =
    addressProblem(registry, server.url, services) ?? crowdProblem(registry, server, server.owner, services);
  if (problem === undefined) change(registry, server, server.registration, services, now);
  return problem;
}

/** @param known the server that offers these instead of what it did */
function crowdProblem(
  registry: Registry,
  known: Server | undefined,
  owner: string,
  services: readonly OfferedService[],
): string | undefined {
  if (known === undefined && registry.servers.size >= MAX_SERVERS) {
    return `There are ${MAX_SERVERS} servers already; remove some first.`;
  }
  const others = [...registry.servers.values()].filter((server) => server.owner === owner && server !== known);
  if (others.length >= MAX_SERVERS_OF_OWNER) {
    return `One subject has at most ${MAX_SERVERS_OF_OWNER} servers; use another subject for more.`;
  }
  const offers = others.reduce((sum, server) => sum + server.offers.length, services.length);
  return offers > MAX_OFFERS_OF_OWNER
    ? `The servers of one subject offer at most ${MAX_OFFERS_OF_OWNER} services together.`
    : undefined;
}

/** The agent's URL is called by the leader of its cluster alone, from a network of theirs. */
function addressProblem({ settings }: Registry, url: string, services: readonly OfferedService[]): string | undefined {
  for (const address of [url, ...services.map((service) => baseUrlOf(url, service))]) {
    const problem = targetProblem(address, settings.allowPrivateTargets);
    if (problem !== undefined) return `${address}: ${problem}`;
  }
  return undefined;
}

/** Draining: no new calls, those that run end. */
export function setMaintenance(registry: Registry, server: Server, enabled: boolean, now: number): void {
  if (server.isDraining === enabled) return;
  server.isDraining = enabled;
  if (!enabled) server.check = { dueAt: now, intervalMs: SHAKY_CHECK_MS };
  registry.changed.servers = true;
  registry.notices.push({ event: 'server.maintenance', fields: { id: server.id, enabled } });
}

/** Calls that run there end as they may; their places are freed when they are reported. */
export function removeServer(registry: Registry, server: Server): void {
  dropServer(registry, server.id);
  registry.notices.push({ event: 'server.removed', fields: { id: server.id } });
}
