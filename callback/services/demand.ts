/** How much a service has to do and how many servers would do it: for autoscalers. Pure. */
import { countStarts, forgetStarts } from '../../shared/pace/start-log.ts';
import type { Answered, DemandView } from '../../shared/registry/rpc.ts';
import { capacityOf } from '../capacity/limits.ts';
import { type Limits, paceOf, roomNow, serviceOf, waitingInPlace } from '../capacity/service.ts';
import { noSuchService } from '../registry/refusal.ts';
import { isBack } from '../registry/servers/liveness.ts';
import { offersOf } from '../registry/servers/server.ts';
import type { Registry, Service } from '../registry/state.ts';
import { definitionOf, hasFixedTarget, isPaused } from './definitions.ts';
import type { ServiceWaiting } from './waiting-of-service.ts';

const MINUTE_MS = 60_000;
const MINUTE_SECONDS = 60;

/** Of the minute: what came in fewer than half of them was a burst. */
const PARTS = 6;
const MIN_KNOWN_MS = 6_000;

/** Of servers that nobody has seen yet. */
const ASSUMED_CONCURRENCY = 16;

export function demandOf(
  registry: Registry,
  name: string,
  { atService, elsewhere, keyWaitSeconds }: ServiceWaiting,
  now: number,
): Answered<DemandView> {
  const definition = definitionOf(registry, name);
  if (definition === undefined) return noSuchService(name);
  const service = serviceOf(registry, name, now);
  const offers = offersOf(registry, name);
  const available = offers.filter((offer) => isBack(registry, offer, now));
  const { maxConcurrency: most = Infinity, requestsPerSecond = Infinity } = definition;
  const isFixed = hasFixedTarget(definition);
  const capacity = Math.min(isFixed ? Infinity : capacityOf(available), most);
  const perServer = capacityOf(offers) / offers.length || ASSUMED_CONCURRENCY;
  const arrivalsPerSecond = arrivalRate(service, now);
  const forPlaces = atService + waitingInPlace(service, now);
  const seconds = service.meanMs / 1000;
  const isOpen = (isFixed || available.length > 0) && !isPaused(registry, name, now) && service.outage === undefined;
  const wanted = startsWanted(service, forPlaces, now) * (seconds || 1);
  // Servers beyond what the service's own limits let be called at a time would stand idle.
  const callsAtOnce = Math.min(wanted, most, requestsPerSecond * (seconds || 1));
  return {
    ok: true,
    value: {
      service: name,
      inFlight: service.running.size,
      capacity: Number.isFinite(capacity) ? capacity : 0,
      available: available.length,
      waiting: forPlaces + elsewhere,
      waitingForPlace: forPlaces,
      arrivalsPerSecond,
      meanLatencyMs: service.meanMs === 0 ? undefined : service.meanMs,
      estimatedWaitSeconds:
        isOpen && keyWaitSeconds !== undefined
          ? Math.max(keyWaitSeconds, waitSeconds(service, forPlaces, { ...definition, maxConcurrency: capacity }, now))
          : undefined,
      advisedServers: isFixed ? 0 : Math.ceil(callsAtOnce / perServer),
    },
  };
}

function arrivalRate(service: Service, now: number): number {
  forgetStarts(service.arrivals, now - MINUTE_MS);
  const seconds = Math.min(MINUTE_MS, Math.max(1_000, now - service.since)) / 1000;
  return countStarts(service.arrivals, now - MINUTE_MS) / seconds;
}

/**
 * Calls to start a second. Those that wait for a place are to be through within a minute, beside those that keep coming;
 * no server helps the others that wait. Who came with a burst waits now, or was served: it is counted once.
 */
function startsWanted(service: Service, forPlaces: number, now: number): number {
  const ofMinute = countStarts(service.arrivals, now - MINUTE_MS);
  return Math.max(ofMinute / MINUTE_SECONDS, steadyRate(service, now) + forPlaces / MINUTE_SECONDS);
}

/** Arrivals a second that half of the last minute's parts had at least; of the time since the service is known. */
function steadyRate({ arrivals, since }: Service, now: number): number {
  const partMs = Math.min(MINUTE_MS, Math.max(MIN_KNOWN_MS, now - since)) / PARTS;
  const parts = new Array<number>(PARTS).fill(0);
  for (const { at, count } of arrivals) {
    const part = Math.max(0, Math.floor((now - at) / partMs));
    if (part < PARTS) parts[part] = (parts[part] ?? 0) + count;
  }
  const usual = parts.sort((a, b) => a - b)[PARTS / 2] ?? 0;
  const mean = parts.reduce((sum, count) => sum + count, 0) / PARTS;
  return Math.min(usual, mean) / (partMs / 1000);
}

/** A task that comes now stands behind all that wait. */
function waitSeconds(service: Service, waiting: number, limits: Limits, now: number): number {
  if (waiting === 0 && roomNow(service, limits, now) >= 1) return 0;
  const pace = paceOf(service, limits);
  const behind = pace === undefined ? 0 : (waiting + 1) / pace;
  return Math.max(behind, ((service.limiter?.limiter.nextAt(now) ?? now) - now) / 1000);
}
