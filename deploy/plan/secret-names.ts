/** Which secrets each Worker of a plan may see. Names only; where the values come from is another matter. */
import { headerSecretNames } from '../../shared/service/review.ts';
import type { KeyPlan } from './key-plan.ts';
import { type Plan, workersOf } from './plan.ts';
import { servicesOf } from './services.ts';
import type { WorkerConfig } from './wrangler-file.ts';

/** With what traces and metrics are pushed; many collectors need none. */
const OTLP_HEADERS = 'OTLP_HEADERS';

const PREVIOUS = '_PREVIOUS';

/** A deployment works without it. */
export function isOptional(name: string): boolean {
  return name === OTLP_HEADERS || name.endsWith(PREVIOUS);
}

/**
 * Those that a Worker's section requires, the ones before them during a rotation, and, in consumers
 * alone, those that services put into headers, and the shard's API keys. A shard that goes has no keys.
 * @throws PlanError for a service that is wrong
 */
export function secretNames(plan: Plan, keys: KeyPlan): ReadonlyMap<WorkerConfig, readonly string[]> {
  const inHeaders = headerSecretNames(servicesOf(plan));
  const isConsumer = (worker: WorkerConfig) => worker !== plan.producer && worker !== plan.callback;
  return new Map(
    workersOf(plan).map((worker) => {
      const required = worker.secrets.required.flatMap((name) => [name, name + PREVIOUS]);
      const ofKeys = keys.variables[plan.consumers.indexOf(worker)] ?? [];
      const pushes = worker.vars.OTLP_ENDPOINT ? [OTLP_HEADERS] : [];
      const all = isConsumer(worker) ? [...required, ...inHeaders, ...ofKeys, ...pushes] : [...required, ...pushes];
      return [worker, all];
    }),
  );
}
