/**
 * Whether a server is there and an offer takes calls: it follows from the last contact with the server,
 * what was said of it, and its checks, at the moment of asking. Deterministic, without I/O.
 */
import type { ServerStateName } from '../../../shared/registry/rpc.ts';
import { hasSecrets, mayHaveSecrets, secretProblem } from '../../../shared/service/secret-origin.ts';
import { definitionOf } from '../../services/definitions.ts';
import { silentAfterMs } from '../settings.ts';
import type { Offer, Registry, Server } from '../state.ts';
import { admits, circuitState } from './circuit.ts';
import { dropServer } from './server.ts';

/** A check may come this much later than it is due. */
const CHECK_GRACE_MS = 60_000;

/** One failed check may be a hiccup. */
const MAX_CHECK_FAILURES = 1;

export interface LivenessStatus {
  readonly state: ServerStateName;
  readonly why: string | undefined;
}

/** For a server that sends no heartbeats, its checks are the contact, and they may be far apart. */
export function hasContact({ settings }: Registry, server: Server, now: number): boolean {
  const silentMs = silentAfterMs(settings);
  const patienceMs = server.sendsHeartbeats ? silentMs : Math.max(silentMs, server.check.intervalMs + CHECK_GRACE_MS);
  return now - server.lastHeardAt <= patienceMs;
}

/** Its leader has spoken for it of late. */
export function isCovered({ settings }: Registry, server: Server, now: number): boolean {
  return server.coveredAt > 0 && now - server.coveredAt <= silentAfterMs(settings);
}

export function livenessStatusOf(registry: Registry, server: Server, now: number): LivenessStatus {
  if (server.isDraining) {
    return server.inFlight > 0
      ? { state: 'draining', why: `in maintenance; ${server.inFlight} calls are still running` }
      : { state: 'drained', why: 'in maintenance; no call is running' };
  }
  const why = whyUnhealthy(registry, server, now);
  return { state: why === undefined ? 'healthy' : 'unhealthy', why };
}

function whyUnhealthy(registry: Registry, server: Server, now: number): string | undefined {
  if (!hasContact(registry, server, now)) {
    return `no contact for ${Math.round((now - server.lastHeardAt) / 1000)} s`;
  }
  if (server.down?.by === 'itself') return 'it said that it is unhealthy';
  if (server.down?.by === 'leader') return 'the leader of its cluster cannot reach it';
  return undefined;
}

/** What is wrong with the offer itself, whatever its server says. */
export function offerProblem(registry: Registry, offer: Offer): string | undefined {
  const { check, origin, service } = offer;
  const definition = definitionOf(registry, service.name);
  if (definition !== undefined && hasSecrets(definition) && !mayHaveSecrets(definition, origin)) {
    return secretProblem(origin);
  }
  return isOut(offer) ? `${check.why} since ${new Date(check.since).toISOString()}` : undefined;
}

/** Its checks fail, and are believed. */
export function isOut({ check, server }: Offer): boolean {
  return check.failures > MAX_CHECK_FAILURES && (check.hasAnswered || !server.sendsHeartbeats);
}

/** There and well; its circuit and its places are another matter. */
export function isAvailable(registry: Registry, offer: Offer, now: number): boolean {
  return (
    livenessStatusOf(registry, offer.server, now).state === 'healthy' && offerProblem(registry, offer) === undefined
  );
}

/** May get at least one more call once it has a place free. */
export function takesCalls(registry: Registry, offer: Offer, now: number): boolean {
  return isAvailable(registry, offer, now) && offer.busyUntil <= now && admits(offer.circuit, now);
}

/** Available, and not behind an open circuit. */
export function isBack(registry: Registry, offer: Offer, now: number): boolean {
  return isAvailable(registry, offer, now) && circuitState(offer.circuit, now) !== 'open';
}

/** A sign of life, of the server's own or of those who look after it. */
export function noteContact({ changed, stored }: Registry, server: Server, now: number): void {
  // The snapshot says otherwise: a restart would take the server as silent.
  if (stored.isComplete || server.lastHeardAt <= stored.graceAt) changed.contacts = true;
  server.lastHeardAt = now;
}

/** Notes who has fallen silent or is back, and removes those that are not expected back. */
export function watchLiveness(registry: Registry, now: number): void {
  for (const server of registry.servers.values()) {
    const silentMs = now - server.lastHeardAt;
    if (silentMs > registry.settings.goneAfterMs && server.inFlight === 0) {
      dropServer(registry, server.id);
      const silentSeconds = Math.round(silentMs / 1000);
      registry.notices.push({ event: 'server.gone', fields: { id: server.id, silentSeconds } });
      continue;
    }
    const isSilent = !hasContact(registry, server, now);
    if (server.isSilent === isSilent) continue;
    server.isSilent = isSilent;
    registry.changed.servers = true;
    const event = isSilent ? 'server.silent' : 'server.back';
    registry.notices.push({ event, fields: { id: server.id } });
  }
}
