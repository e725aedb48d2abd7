/**
 * What bounds the calls of a service: its definition's limits, its ramp's while it is resumed with one (the calls that
 * may start in a second grow from one, by the same factor in the same time, to what its definition allows), and the
 * calls at a time that its servers take. Deterministic, without I/O.
 */

import type { Offer, Ramp, Registry } from '../registry/state.ts';
import { definitionOf } from '../services/definitions.ts';
import type { Limits } from './service.ts';

/** Calls a second at the end of the ramp of a service without such a limit. */
const UNTOLD_TOP = 1_000;

/** The service's own limits, and its ramp's while it lasts. */
export function limitsInForce(registry: Registry, name: string, now: number): Limits {
  const definition: Limits = definitionOf(registry, name) ?? {};
  const ramp = registry.catalog.ramps.get(name);
  if (ramp === undefined || isOver(ramp, now)) return definition;
  const { maxConcurrency, requestsPerSecond: top = UNTOLD_TOP } = definition;
  const share = Math.max(0, now - ramp.since) / (ramp.seconds * 1000);
  return { maxConcurrency, requestsPerSecond: Math.min(top, Math.max(1, top) ** share) };
}

/** @param capacity calls at a time that the servers take; infinite for a fixed target */
export function within({ maxConcurrency = Infinity, requestsPerSecond }: Limits, capacity: number): Limits {
  return { maxConcurrency: Math.min(maxConcurrency, capacity), requestsPerSecond };
}

/** Calls at a time. */
export function capacityOf(offers: readonly Offer[]): number {
  return offers.reduce((sum, { server }) => sum + server.registration.maxConcurrency, 0);
}

export function endRamps({ catalog }: Registry, now: number): void {
  for (const [name, ramp] of catalog.ramps) if (isOver(ramp, now)) catalog.ramps.delete(name);
}

function isOver({ since, seconds }: Ramp, now: number): boolean {
  return now >= since + seconds * 1000;
}
