/** What the registry keeps of a service while it runs: calls, those who wait, and how long a call takes. Pure. */
import { addStarts, forgetStarts, type StartLog } from '../../shared/pace/start-log.ts';

export interface Service {
  readonly since: number;
  inFlight: number;
  /** Calls that were let in, as far as `requestsPerSecond` asks. */
  readonly starts: StartLog;
  /** Places in the time to come that were promised to calls that wait. */
  readonly promised: StartLog;
  /** Calls that came for the first time, of the last minute. */
  readonly arrivals: StartLog;
  /** Who waits, by call id, and when it is forgotten. */
  readonly waiters: Map<string, number>;
  /** Moving average of how long an answered call takes; 0: not known. */
  meanMs: number;
}

const MINUTE_MS = 60_000;

/** Beyond this many nobody counts one by one. */
const MAX_WAITERS = 50_000;

/** A call weighs a twentieth. */
const MEAN_WEIGHT = 0.05;

export function newService(now: number): Service {
  return {
    since: now,
    inFlight: 0,
    starts: [],
    promised: [],
    arrivals: [],
    waiters: new Map(),
    meanMs: 0,
  };
}

export function noteArrival(service: Service, now: number): void {
  forgetStarts(service.arrivals, now - MINUTE_MS);
  addStarts(service.arrivals, now, 1);
}

/** @param until when it looks again */
export function noteWaiting(service: Service, call: string, until: number, now: number): void {
  service.waiters.delete(call);
  if (service.waiters.size >= MAX_WAITERS) forgetWaiters(service, now);
  if (service.waiters.size < MAX_WAITERS) service.waiters.set(call, until + MINUTE_MS);
}

/** Calls that should have looked again a minute ago have ended, or wait elsewhere. */
export function forgetWaiters(service: Service, now: number): void {
  for (const [call, forgetAt] of service.waiters) if (forgetAt <= now) service.waiters.delete(call);
}

export function noteDuration(service: Service, durationMs: number): void {
  service.meanMs = service.meanMs === 0 ? durationMs : service.meanMs * (1 - MEAN_WEIGHT) + durationMs * MEAN_WEIGHT;
}
