/** What services bear, as the registry knows it: for who starts many calls at once. Deterministic, without I/O. */
import type { ServiceRate } from '../../shared/registry/rpc.ts';
import { definitionOf, hasFixedTarget } from './definitions.ts';
import { capacityOf } from './line.ts';
import { offersOf, serviceOf } from './server.ts';
import { paceOf } from './service.ts';
import type { Registry } from './state.ts';

export function ratesOf(registry: Registry, services: readonly string[], now: number): ServiceRate[] {
  return services.map((name) => {
    const definition = definitionOf(registry, name);
    const { maxConcurrency = Number.POSITIVE_INFINITY, requestsPerSecond, keyPool, keyLimits } = definition ?? {};
    const servers = hasFixedTarget(definition) ? Number.POSITIVE_INFINITY : capacityOf(offersOf(registry, name));
    const limits = { maxConcurrency: Math.min(maxConcurrency, servers), requestsPerSecond };
    const perKey = keyLimits?.requestsPerMinute;
    return {
      service: name,
      perSecond: paceOf(serviceOf(registry, name, now), limits),
      pool: keyPool,
      perSecondOfKey: perKey === undefined ? undefined : perKey / 60,
    };
  });
}
