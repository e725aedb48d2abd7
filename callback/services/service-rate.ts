/** What services bear, as the registry knows it: for who starts many calls at once. Deterministic, without I/O. */
import type { ServiceRate } from '../../shared/registry/rpc.ts';
import { capacityOf, within } from '../capacity/limits.ts';
import { paceOf, serviceOf } from '../capacity/service.ts';
import { offersOf } from '../registry/servers/server.ts';
import type { Registry } from '../registry/state.ts';
import { definitionOf, hasFixedTarget } from './definitions.ts';

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
