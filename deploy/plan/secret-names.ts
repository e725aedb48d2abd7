/** Which secrets each Worker of a plan may see. Names only; where the values come from is another matter. */
import { headerSecretNames } from '../../shared/service/review.ts';
import type { KeyPlan } from './key-plan.ts';
import { type Plan, workersOf } from './plan.ts';
import { servicesOf } from './services.ts';
import type { WorkerConfig } from './wrangler-file.ts';

export const PREVIOUS = '_PREVIOUS';

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
      return [worker, isConsumer(worker) ? [...required, ...inHeaders, ...ofKeys] : required];
    }),
  );
}
