/** What services bear, as the registry knows it: for who starts many calls at once. Deterministic, without I/O. */
import { capacityOf, within } from '../capacity/limits.ts';
import { paceOf, serviceOf } from '../capacity/service.ts';
import { offersOf } from '../registry/servers/server.ts';
import type { Registry } from '../registry/state.ts';
import { definitionOf, hasFixedTarget } from './definitions.ts';

/** Calls a second that a service bears, as far as that is told or learnt; undefined where it is not. */
export interface ServiceRate {
  readonly service: string;
  readonly perSecond: number | undefined;
  /** The pool of keys that its calls need; its pace is for the pool to say. */
  readonly pool: string | undefined;
  /** As the definition says of one key. */
  readonly perSecondOfKey: number | undefined;
}

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
