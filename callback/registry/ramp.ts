/**
 * A service that is resumed with a ramp: the calls that may start in a second grow from one, by the same factor in
 * the same time, to what its definition allows. Deterministic, without I/O.
 */
import { definitionOf } from './definitions.ts';
import type { Limits } from './service.ts';
import type { Ramp, Registry } from './state.ts';

/** Calls a second at the end of the ramp of a service without such a limit. */
const UNTOLD_TOP = 1_000;

/** The service's own limits, and its ramp's while it lasts. */
export function limitsInForce(registry: Registry, name: string, now: number): Limits {
  const definition = definitionOf(registry, name);
  const ramp = registry.catalog.ramps.get(name);
  if (ramp === undefined || isOver(ramp, now)) return definition;
  const { maxConcurrency, requestsPerSecond: top = UNTOLD_TOP } = definition ?? {};
  const share = Math.max(0, now - ramp.since) / (ramp.seconds * 1000);
  return { maxConcurrency, requestsPerSecond: Math.min(top, Math.max(1, top) ** share) };
}

export function endRamps({ catalog }: Registry, now: number): void {
  for (const [name, ramp] of catalog.ramps) if (isOver(ramp, now)) catalog.ramps.delete(name);
}

function isOver({ since, seconds }: Ramp, now: number): boolean {
  return now >= since + seconds * 1000;
}
