/**
 * Service definitions: those of the configuration file, and those that were put at run time, which
 * win. Changing one keeps all counts: they live with the servers. Pure.
 */
import type { Answered } from '../../shared/registry/door.ts';
import type { ServiceBook } from '../../shared/registry/routing.ts';
import {
  BALANCING_ALGORITHMS,
  type BalancingAlgorithm,
  type ServiceDefinition,
  servicesSchema,
} from '../../shared/service/definition.ts';
import { noSuchService, refuse } from './refusal.ts';
import type { Registry } from './server.ts';
import { forgetWaiters } from './service.ts';

/** How a service that nobody defined is balanced. */
const DEFAULT_BALANCING: BalancingAlgorithm = 'least-connections';

export function definitionOf({ catalog, settings }: Registry, name: string): ServiceDefinition | undefined {
  return (
    catalog.put.get(name)?.definition ?? (Object.hasOwn(settings.services, name) ? settings.services[name] : undefined)
  );
}

export function balancingOf(registry: Registry, name: string): BalancingAlgorithm {
  return registry.catalog.balancing.get(name) ?? definitionOf(registry, name)?.balancing ?? DEFAULT_BALANCING;
}

export function hasFixedTarget(definition: ServiceDefinition | undefined): boolean {
  return definition !== undefined && (definition.baseUrl ?? definition.binding) !== undefined;
}

export function serviceNames({ catalog, settings }: Registry): string[] {
  return [...new Set([...Object.keys(settings.services), ...catalog.put.keys()])].sort();
}

/** @returns undefined when it is not valid */
export function parseDefinition({ settings }: Registry, name: string, sent: unknown): ServiceDefinition | undefined {
  return servicesSchema(settings.allowPrivateTargets).safeParse({ [name]: sent }).data?.[name];
}

/** @throws when the definition is not valid: who sends it has checked it */
export function putService(registry: Registry, name: string, sent: unknown): number {
  const definition = parseDefinition(registry, name, sent);
  if (definition === undefined) throw new Error(`the definition of ${name} is not valid`);
  registry.catalog.put.set(name, { sent, definition });
  registry.catalog.balancing.delete(name);
  return renewBook(registry);
}

export function deleteService(registry: Registry, name: string, force: boolean, now: number): Answered<undefined> {
  if (!registry.catalog.put.has(name)) {
    return Object.hasOwn(registry.settings.services, name)
      ? refuse('invalid-request', `${name} stands in the configuration file; take it out there.`)
      : noSuchService(name);
  }
  const service = registry.services.get(name);
  if (service !== undefined) forgetWaiters(service, now);
  const inFlight = service?.inFlight ?? 0;
  const waiting = service?.waiters.size ?? 0;
  if (!force && inFlight + waiting > 0) {
    return refuse('service-busy', `${name} has ${inFlight} calls under way and ${waiting} that wait.`);
  }
  registry.catalog.put.delete(name);
  registry.catalog.balancing.delete(name);
  registry.catalog.paused.delete(name);
  renewBook(registry);
  return DONE;
}

export function setPaused(registry: Registry, name: string, paused: boolean): Answered<undefined> {
  if (definitionOf(registry, name) === undefined) return noSuchService(name);
  if (registry.catalog.paused.has(name) === paused) return DONE;
  if (paused) registry.catalog.paused.add(name);
  else registry.catalog.paused.delete(name);
  renewBook(registry);
  return DONE;
}

export function setBalancing(registry: Registry, name: string, algorithm: string): Answered<undefined> {
  if (definitionOf(registry, name) === undefined) return noSuchService(name);
  const known = BALANCING_ALGORITHMS.find((each) => each === algorithm);
  if (known === undefined) {
    return refuse('invalid-request', `${algorithm} is none of ${BALANCING_ALGORITHMS.join(', ')}.`);
  }
  registry.catalog.balancing.set(name, known);
  registry.changed.services = true;
  return DONE;
}

export function readBook({ catalog }: Registry, known: number): ServiceBook | undefined {
  if (known === catalog.version) return undefined;
  return {
    version: catalog.version,
    services: Object.fromEntries([...catalog.put].map(([name, { sent }]) => [name, sent])),
    paused: [...catalog.paused],
  };
}

const DONE: Answered<undefined> = { ok: true, value: undefined };

function renewBook(registry: Registry): number {
  registry.catalog.version += 1;
  registry.changed.services = true;
  return registry.catalog.version;
}
