/**
 * A fixed address that cannot be reached: its tasks wait in line. The address is asked whether anybody is
 * there, soon and then every few seconds; when somebody is, one task tries it, and when that one is
 * answered all may go. A service behind a binding cannot be asked from here: a task tries it now and then.
 * Deterministic, without I/O.
 */

import type { CheckResult, DueCheck } from '../registry/servers/health-check.ts';
import type { Outage, Registry } from '../registry/state.ts';
import { definitionOf, hasFixedTarget } from '../services/definitions.ts';
import { serviceOf } from './service.ts';

const FIRST_CHECK_MS = 1_000;
const MAX_CHECK_MS = 5_000;

/** A service behind a binding costs a task's deferral each time. */
const MAX_BINDING_CHECK_MS = 60_000;

/** A task that was let go and says nothing: another one may try. */
const TRY_MS = 30_000;

export function noteUnreachable(registry: Registry, name: string, why: string, now: number): void {
  const definition = definitionOf(registry, name);
  if (!hasFixedTarget(definition)) return;
  const service = serviceOf(registry, name, now);
  if (service.outage === undefined) {
    const checkAt = now + FIRST_CHECK_MS;
    service.outage = { since: now, why, checkAt, intervalMs: FIRST_CHECK_MS, isBack: false, triedAt: undefined };
    registry.changed.services = true;
    registry.notices.push({ event: 'service.unreachable', fields: { service: name, why } });
    return;
  }
  // Calls that were under way tell nothing new; the one that tried it does.
  if (service.outage.isBack) askLater(registry, name, service.outage, now);
}

/** A call was answered, whatever it was told. */
export function noteReached(registry: Registry, name: string, now: number): void {
  const service = registry.services.get(name);
  if (service?.outage === undefined) return;
  const seconds = Math.round((now - service.outage.since) / 1000);
  service.outage = undefined;
  registry.changed.services = true;
  registry.notices.push({ event: 'service.reachable', fields: { service: name, seconds } });
}

/** True when one task may go and try it. */
export function mayBeTried({ isBack, triedAt }: Outage, now: number): boolean {
  return isBack && (triedAt === undefined || now - triedAt > TRY_MS);
}

/** The addresses to ask now; a service behind a binding is taken as back instead. */
export function takeDueOutageChecks(registry: Registry, now: number): DueCheck[] {
  return [...registry.services].flatMap(([service, { outage }]) => {
    if (outage === undefined || outage.isBack || outage.checkAt > now) return [];
    const { baseUrl } = definitionOf(registry, service) ?? {};
    outage.checkAt = now + outage.intervalMs;
    if (baseUrl !== undefined) return [{ service, url: baseUrl }];
    outage.isBack = true;
    return [];
  });
}

export function noteOutageChecks(registry: Registry, results: readonly CheckResult[], now: number): void {
  for (const { service, isReached } of results) {
    const outage = registry.services.get(service)?.outage;
    if (outage === undefined) continue;
    if (isReached) Object.assign(outage, { isBack: true, triedAt: undefined });
    else askLater(registry, service, outage, now);
  }
}

function askLater(registry: Registry, name: string, outage: Outage, now: number): void {
  const most = definitionOf(registry, name)?.binding === undefined ? MAX_CHECK_MS : MAX_BINDING_CHECK_MS;
  outage.isBack = false;
  outage.triedAt = undefined;
  outage.intervalMs = Math.min(most, 1.5 * outage.intervalMs);
  outage.checkAt = now + outage.intervalMs;
}

export function earliestOutageCheckAt({ services }: Registry): number {
  const outages = [...services.values()].flatMap(({ outage }) => outage ?? []);
  return Math.min(...outages.map(({ isBack, checkAt }) => (isBack ? Infinity : checkAt)));
}
