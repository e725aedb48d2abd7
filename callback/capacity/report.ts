/** Takes back the calls of a batch with how they went: places, latencies, circuits. Pure over the state. */
import { type CallReport, type CallReports, MAX_BUSY_MS } from '../../shared/registry/routing.ts';
import { noteFailure, noteGood, releaseProbe } from '../registry/servers/circuit.ts';
import { checkSoon } from '../registry/servers/health-check.ts';
import { noteCall } from '../registry/servers/metrics.ts';
import { offerOf } from '../registry/servers/server.ts';
import type { Offer, Place, Registry } from '../registry/state.ts';
import { definitionOf, hasFixedTarget } from '../services/definitions.ts';
import { noteElsewhere, notePark } from './line.ts';
import { noteReached, noteUnreachable } from './outage.ts';
import { endTicket, isKnownLease, releasePlace } from './places.ts';
import { noteDuration, noteEnough, noteUncounted, serviceOf } from './service.ts';

/** A server that is busy without saying for how long. */
const DEFAULT_BUSY_MS = 1_000;

export function takeReports(
  registry: Registry,
  { leaseId, reports, elsewhere = [] }: CallReports,
  now: number,
  random: () => number,
): void {
  for (const line of elsewhere) noteElsewhere(registry, line);
  const isKnown = isKnownLease(registry, leaseId);
  // What was let in without having been counted says something of the limit that is heard of with it.
  const { later = [], first = [] } = Object.groupBy(reports, (report) => (isUncounted(report) ? 'later' : 'first'));
  for (const report of [...first, ...later]) {
    if (report.isOngoing === true) {
      endProbe(registry, leaseId, report, now);
      continue;
    }
    const place = releasePlace(registry, leaseId, report.id, now, report.durationMs);
    // It was reported before. A lease that nobody knows is from before a restart: its calls still tell something.
    if (place === undefined && isKnown && report.isUnplaced !== true) continue;
    takeReport(registry, report, place, now, random);
  }
}

function isUncounted({ isUnplaced, outcome }: CallReport): boolean {
  return isUnplaced === true && outcome === 'answered';
}

/** The answer has begun, and may go on for long: as a probe it is over. */
function endProbe(registry: Registry, leaseId: string, { id, service, server }: CallReport, now: number): void {
  const place = registry.leases.get(leaseId)?.open.get(id);
  if (place === undefined) return;
  if (place.offer === undefined) noteReached(registry, service, now);
  else if (place.isProbe) {
    place.isProbe = false;
    if (offerOf(registry, server, service) !== place.offer) releaseProbe(place.offer.circuit);
    else if (noteGood(place.offer.circuit, true, now)) tellOfCircuit(registry, place.offer);
  }
}

function takeReport(
  registry: Registry,
  report: CallReport,
  place: Place | undefined,
  now: number,
  random: () => number,
): void {
  const called = offerOf(registry, report.server, report.service);
  const isProbe = (offer: Offer) => place?.isProbe === true && place.offer === offer;
  for (const id of report.unreachableServers ?? []) {
    const offer = offerOf(registry, id, report.service);
    if (offer !== undefined && offer !== called) noteFailed(registry, offer, 0, isProbe(offer), now, random());
  }
  if (report.outcome === 'answered') noteDuration(serviceOf(registry, report.service, now), report.durationMs);
  if (called === undefined) noteOfFixed(registry, report, place, now);
  else noteOutcome(registry, called, report, isProbe(called), now, random());
  // A probe that was not made, or went elsewhere, leaves the next one to another call.
  const isTold = place?.offer === called || report.unreachableServers?.includes(place?.offer?.server.id ?? '');
  if (place?.isProbe && place.offer !== undefined && !isTold) releaseProbe(place.offer.circuit);
  if (report.isParked === true) notePark(registry, report.service, undefined, false, now);
}

function noteOfFixed(registry: Registry, report: CallReport, place: Place | undefined, now: number): void {
  const { outcome, service: name, busyUntil, detail, isParked } = report;
  const service = serviceOf(registry, name, now);
  if (outcome === 'unreachable') noteUnreachable(registry, name, detail ?? 'not reachable', now);
  else if (outcome !== 'unused') noteReached(registry, name, now);
  else if (service.outage !== undefined) service.outage.triedAt = undefined;
  const definition = definitionOf(registry, name);
  // With keys it is a key's limit, which its pool knows.
  if (outcome === 'busy' && hasFixedTarget(definition) && definition?.keyPool === undefined) {
    const isSilent = (busyUntil ?? now) <= now;
    const until = isSilent && isParked === true ? undefined : busyUntilOf(busyUntil, now);
    noteEnough(service, { task: report.id, ticket: place?.ticket, isSilent, until }, now);
  } else if (isUncounted(report)) {
    noteUncounted(service, now - report.durationMs);
  } else if (place !== undefined) endTicket(registry, place, ENDS[outcome], now);
}

const ENDS = {
  answered: 'let-in',
  failed: 'unknown',
  unreachable: 'unknown',
  busy: 'unknown',
  unused: 'unused',
} as const satisfies Record<CallReport['outcome'], string>;

function busyUntilOf(told: number | undefined, now: number): number {
  return Math.min(told ?? now + DEFAULT_BUSY_MS, now + MAX_BUSY_MS);
}

function noteOutcome(
  registry: Registry,
  offer: Offer,
  report: CallReport,
  isProbe: boolean,
  now: number,
  random: number,
): void {
  switch (report.outcome) {
    case 'answered':
      noteCall(offer.metrics, 'answered', report.durationMs, now);
      if (noteGood(offer.circuit, isProbe, now)) tellOfCircuit(registry, offer);
      return;
    case 'failed':
    case 'unreachable':
      noteFailed(registry, offer, report.durationMs, isProbe, now, random);
      return;
    case 'busy':
      noteCall(offer.metrics, 'busy', report.durationMs, now);
      offer.busyUntil = Math.max(offer.busyUntil, busyUntilOf(report.busyUntil, now));
      if (isProbe) releaseProbe(offer.circuit);
      return;
    case 'unused':
      if (isProbe) releaseProbe(offer.circuit);
  }
}

function noteFailed(
  registry: Registry,
  offer: Offer,
  durationMs: number,
  isProbe: boolean,
  now: number,
  random: number,
): void {
  noteCall(offer.metrics, 'failed', durationMs, now);
  if (!noteFailure(offer.circuit, isProbe, now, random)) return;
  tellOfCircuit(registry, offer);
  checkSoon(registry, offer.server, now);
}

function tellOfCircuit(registry: Registry, { circuit, server, service }: Offer): void {
  const { state, why } = circuit.history.at(-1) ?? {};
  registry.changed.servers = true;
  registry.notices.push({ event: 'circuit.changed', fields: { server: server.id, service: service.name, state, why } });
}
