/** Takes back the calls of a batch with how they went: places, latencies, circuits. Pure over the state. */
import type { CallReport, CallReports } from '../../shared/registry/routing.ts';
import { noteFailure, noteGood, releaseProbe } from './circuit.ts';
import { checkSoon } from './health-check.ts';
import { noteCall } from './metrics.ts';
import { givePlaceBack, isKnownBlock, type Place, reportedOffer } from './places.ts';
import { type Offer, type Registry, serviceOf } from './server.ts';
import { noteDuration } from './service.ts';

/** A server that is busy without saying for how long, and the most that one may say. */
const DEFAULT_BUSY_MS = 1_000;
const MAX_BUSY_MS = 600_000;

export function takeReports(
  registry: Registry,
  { block, reports }: CallReports,
  now: number,
  random: () => number,
): void {
  const isKnown = isKnownBlock(registry, block);
  for (const report of reports) {
    if (report.isOngoing === true) {
      endProbe(registry, block, report, now);
      continue;
    }
    const place = givePlaceBack(registry, block, report.id, now);
    // Said before. A block that nobody knows is from before a restart: its calls still tell something.
    if (place === undefined && isKnown) continue;
    takeReport(registry, report, place, now, random);
  }
}

/** The answer has begun, and may go on for long: as a probe it is over. */
function endProbe(registry: Registry, blockId: string, { id, service, server }: CallReport, now: number): void {
  const place = registry.blocks.get(blockId)?.open.get(id);
  if (place?.offer === undefined || !place.isProbe) return;
  place.isProbe = false;
  if (reportedOffer(registry, server, service) !== place.offer) releaseProbe(place.offer.circuit);
  else if (noteGood(place.offer.circuit, true, now)) tellOfCircuit(registry, place.offer);
}

function takeReport(
  registry: Registry,
  report: CallReport,
  place: Place | undefined,
  now: number,
  random: () => number,
): void {
  const called = reportedOffer(registry, report.server, report.service);
  const isProbe = (offer: Offer) => place?.isProbe === true && place.offer === offer;
  for (const id of report.unreached ?? []) {
    const offer = reportedOffer(registry, id, report.service);
    if (offer !== undefined && offer !== called) noteFailed(registry, offer, 0, isProbe(offer), now, random());
  }
  if (report.outcome === 'answered') noteDuration(serviceOf(registry, report.service, now), report.durationMs);
  if (called !== undefined) noteOutcome(registry, called, report, isProbe(called), now, random());
  // A probe that was not made, or went elsewhere, leaves the next one to another call.
  const isTold = place?.offer === called || report.unreached?.includes(place?.offer?.server.id ?? '');
  if (place?.isProbe && place.offer !== undefined && !isTold) releaseProbe(place.offer.circuit);
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
      noteFailed(registry, offer, report.durationMs, isProbe, now, random);
      return;
    case 'busy':
      noteCall(offer.metrics, 'busy', report.durationMs, now);
      offer.busyUntil = Math.max(
        offer.busyUntil,
        Math.min(report.busyUntil ?? now + DEFAULT_BUSY_MS, now + MAX_BUSY_MS),
      );
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
