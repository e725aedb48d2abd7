/**
 * Service definitions as the registry goes by them: those of the configuration file, and those that were
 * put at run time, which win. Pure.
 */
import type { ServicePause } from '../../shared/registry/rpc.ts';
import { type BalancingAlgorithm, type ServiceDefinition, servicesSchema } from '../../shared/service/definition.ts';
import { hookServiceOf } from '../../shared/webhook/definition.ts';
import type { Registry } from '../registry/state.ts';

/** How a service that nobody defined is balanced. */
const DEFAULT_BALANCING: BalancingAlgorithm = 'least-connections';

export function definitionOf({ catalog, settings, flows }: Registry, name: string): ServiceDefinition | undefined {
  return (
    catalog.put.get(name)?.definition ??
    (Object.hasOwn(settings.services, name) ? settings.services[name] : hookServiceOf(name)) ??
    flows.get(name)?.definition
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

export function pauseOf({ catalog }: Registry, name: string, now: number): ServicePause | undefined {
  const pause = catalog.paused.get(name);
  return (pause?.until ?? Infinity) > now ? pause : undefined;
}

export function isPaused(registry: Registry, name: string, now: number): boolean {
  return pauseOf(registry, name, now) !== undefined;
}
