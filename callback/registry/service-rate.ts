/** What services bear, as the registry knows it: for who starts many calls at once. Deterministic, without I/O. */
import type { ServiceRate } from '../../shared/registry/rpc.ts';
import { definitionOf, hasFixedTarget } from './definitions.ts';
import { capacityOf, within } from './limits.ts';
import { offersOf, serviceOf } from './server.ts';
import { paceOf } from './service.ts';
import type { Registry } from './state.ts';

export function ratesOf(registry: Registry, services: readonly string[], now: number): ServiceRate[] {
  return services.map((name) => {
    const definition = definitionOf(registry, name);
    const capacity = hasFixedTarget(definition) ? Infinity : capacityOf(offersOf(registry, name));
    const perKey = definition?.keyLimits?.requestsPerMinute;
    return {
      service: name,
      perSecond: paceOf(serviceOf(registry, name, now), within(definition ?? {}, capacity)),
      pool: definition?.keyPool,
      perSecondOfKey: perKey === undefined ? undefined : perKey / 60,
    };
  });
}
