/** How much a service has to do and how many servers would do it: for autoscalers. Pure. */
import { forgetStarts } from '../../shared/pace/start-log.ts';
import type { Answered, DemandView } from '../../shared/registry/rpc.ts';
import type { ServiceWaiting } from '../waiting-of-service.ts';
import { definitionOf, hasFixedTarget, isPaused } from './definitions.ts';
import { isBack } from './liveness.ts';
import { noSuchService } from './refusal.ts';
import { offersOf, serviceOf } from './server.ts';
import { type Limits, paceOf, roomNow, waitingInPlace } from './service.ts';
import type { Registry, Service } from './state.ts';

const MINUTE_MS = 60_000;

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
  const ofServers = sumOf(available.map(({ server }) => server.registration.maxConcurrency));
  const most = definition.maxConcurrency ?? Number.POSITIVE_INFINITY;
  const isFixed = hasFixedTarget(definition);
  const capacity = Math.min(isFixed ? Number.POSITIVE_INFINITY : ofServers, most);
  const perServer =
    sumOf(offers.map(({ server }) => server.registration.maxConcurrency)) / offers.length || ASSUMED_CONCURRENCY;
  const arrivalsPerSecond = arrivalRate(service, now);
  const forPlaces = atService + waitingInPlace(service, now);
  const seconds = service.meanMs / 1000;
  const isOpen = (isFixed || available.length > 0) && !isPaused(registry, name, now) && service.outage === undefined;
  // Those that wait for a place are to be through within a minute; no server helps the others.
  const wanted = arrivalsPerSecond * seconds + (forPlaces * (seconds || 1)) / (MINUTE_MS / 1000);
  // Servers beyond what the service's own limits let be called at a time would stand idle.
  const callsAtOnce = Math.min(
    wanted,
    most,
    (definition.requestsPerSecond ?? Number.POSITIVE_INFINITY) * (seconds || 1),
  );
  return {
    ok: true,
    value: {
      service: name,
      inFlight: service.running.length,
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
  return sumOf(service.arrivals.map(({ count }) => count)) / seconds;
}

/** A task that comes now stands behind all that wait. */
function waitSeconds(service: Service, waiting: number, limits: NonNullable<Limits>, now: number): number {
  if (waiting === 0 && roomNow(service, limits, now) >= 1) return 0;
  const pace = paceOf(service, limits);
  const behind = pace === undefined ? 0 : (waiting + 1) / pace;
  return Math.max(behind, ((service.limiter?.limiter.nextAt(now) ?? now) - now) / 1000);
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, each) => sum + each, 0);
}
