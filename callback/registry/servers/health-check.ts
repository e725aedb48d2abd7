/**
 * Which servers are checked from here, and when: those that can be reached and are not covered by a
 * leader. A check that fails makes them frequent, each good one doubles the pause. A server that
 * heartbeats and never answered a check is taken as not reachable from here: its heartbeats count.
 * Pure; the checks themselves are made by the object.
 */

import { type Offer, type Registry, type Server, SHAKY_CHECK_MS } from '../state.ts';
import { hasContact, isCovered, isOut, noteContact } from './liveness.ts';
import { offerOf } from './server.ts';

const STABLE_CHECK_MS = 300_000;

/** Checks that are due within half a pause are made with those that are due: soon one alarm is for all of them. */
const EARLY_SHARE = 0.5;

/** So often a server that never answered is tried. */
const MAX_TRIES = 3;

/** A request that tells whether somebody is there: at a service of a server, or at a service's fixed address. */
export interface DueCheck {
  /** Absent for a fixed address. */
  readonly serverId?: string;
  readonly service: string;
  readonly url: string;
}

export interface CheckResult extends Pick<DueCheck, 'serverId' | 'service'> {
  /** Undefined: it answered, and not with an error of its own. */
  readonly problem: string | undefined;
  /** Somebody answered, whatever the answer. */
  readonly isReached: boolean;
}

function isCheckable({ check, server }: Offer): boolean {
  return check.hasAnswered || check.tries < MAX_TRIES || !server.sendsHeartbeats;
}

function needsChecks(registry: Registry, server: Server, now: number): boolean {
  if (server.isDraining || isCovered(registry, server, now)) return false;
  if (server.sendsHeartbeats && !hasContact(registry, server, now)) return false;
  return server.offers.some(isCheckable);
}

export function nextCheckAt(registry: Registry, server: Server, now: number): number | undefined {
  return needsChecks(registry, server, now) ? server.check.dueAt : undefined;
}

export function earliestCheckAt(registry: Registry, now: number): number {
  return Math.min(...[...registry.servers.values()].map((server) => nextCheckAt(registry, server, now) ?? Infinity));
}

/** The checks to make now; the servers' next ones are set as if these came out as the last ones did. */
export function takeDueChecks(registry: Registry, now: number): DueCheck[] {
  if (earliestCheckAt(registry, now) > now) return [];
  return [...registry.servers.values()].flatMap((server) => {
    const dueAt = nextCheckAt(registry, server, now);
    if (dueAt === undefined || dueAt > now + EARLY_SHARE * server.check.intervalMs) return [];
    server.check.dueAt = now + server.check.intervalMs;
    return server.offers.filter(isCheckable).map(({ service, address }) => ({
      serverId: server.id,
      service: service.name,
      url: address.baseUrl + service.healthPath,
    }));
  });
}

export function noteChecks(registry: Registry, results: readonly CheckResult[], now: number): void {
  for (const [serverId = '', ofServer] of Map.groupBy(results, (result) => result.serverId)) {
    const server = registry.servers.get(serverId);
    if (server !== undefined) noteChecksOf(registry, server, ofServer, now);
  }
}

function noteChecksOf(registry: Registry, server: Server, results: readonly CheckResult[], now: number): void {
  for (const { service, problem } of results) {
    const offer = offerOf(registry, server.id, service);
    if (offer === undefined) continue;
    const before = lastingOf(offer);
    noteCheck(offer, problem, now);
    if (before !== lastingOf(offer)) registry.changed.servers = true;
  }
  const isStable = results.every(({ problem }) => problem === undefined);
  const hasAnswered = results.some(({ problem }) => problem === undefined);
  if (hasAnswered && !server.sendsHeartbeats) noteContact(registry, server, now);
  const intervalMs = isStable ? Math.min(STABLE_CHECK_MS, 2 * server.check.intervalMs) : SHAKY_CHECK_MS;
  server.check = { intervalMs, dueAt: now + intervalMs };
}

/** What of its checks must outlast a restart. */
function lastingOf(offer: Offer): string {
  return [offer.check.hasAnswered, isOut(offer), isCheckable(offer)].join();
}

function noteCheck({ check }: Offer, problem: string | undefined, now: number): void {
  check.tries += 1;
  if (problem === undefined) {
    check.hasAnswered = true;
    check.failures = 0;
    return;
  }
  if (check.failures === 0) check.since = now;
  check.failures += 1;
  check.why = `health check: ${problem}`;
}

/** Its calls fail: the next check comes at once. */
export function checkSoon(registry: Registry, server: Server, now: number): void {
  server.check = { dueAt: now, intervalMs: SHAKY_CHECK_MS };
  registry.changed.checks = true;
}
