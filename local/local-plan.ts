/**
 * The plan as the local run has it: its variables, its services, and each Worker with its secrets.
 */
import type * as z from 'zod';
import type { Bundles } from '../deploy/build/bundle.ts';
import type { KeyPlan } from '../deploy/plan/key-plan.ts';
import { type Plan, workersOf } from '../deploy/plan/plan.ts';
import { readPlan } from '../deploy/plan/plan-files.ts';
import { secretNames } from '../deploy/plan/secret-names.ts';
import { servicesOf, surroundingsOf } from '../deploy/plan/services.ts';
import { keyProblems } from '../shared/key/review.ts';
import type { ServiceDefinitionSchema } from '../shared/service/definition.ts';
import { reviewServices } from '../shared/service/review.ts';
import { joinServices } from '../shared/service/variables.ts';
import { LaunchError } from '../terminal/launch-error.ts';
import { NETWORK, type NetworkService } from './network.ts';
import { LOCAL_HOST } from './port.ts';
import type { LocalSecrets } from './secrets.ts';
import { workerOptions } from './worker-options.ts';

export type ServiceInputs = Readonly<Record<string, z.input<typeof ServiceDefinitionSchema>>>;

export interface LocalPlanOptions {
  readonly keys: KeyPlan;
  /** Databases that get tasks; 1 by default. */
  readonly stores?: number;
  /** Databases of an earlier run with more stores: their tasks go on, and they get no new ones. */
  readonly leftStores?: readonly number[];
  /** Added to those in wrangler.toml. */
  readonly services: ServiceInputs;
  /** On top of wrangler.toml and of what the local run sets. */
  readonly vars: Readonly<Record<string, unknown>>;
  /** Other entry files than wrangler.toml's: what measures a Worker wraps it. */
  readonly mains?: Mains | undefined;
  /** Batches and connections as they are deployed: what a task costs there is measured. */
  readonly asDeployed?: boolean | undefined;
  /** Requests are counted, up to so many; else not at all. */
  readonly requestLimits?: RequestLimits | undefined;
}

/** By the counter's binding: requests in a period of `wrangler.toml`. */
export type RequestLimits = Readonly<Record<'REQUESTS_BY_ADDRESS' | 'REQUESTS_BY_TOKEN', number>>;

export type Mains = Readonly<Record<'producer' | 'callback' | 'consumer', string>>;

export function planLocal(options: LocalPlanOptions, url: string): Plan {
  const { keys, stores = 1, leftStores = [], services, vars, mains, asDeployed = false, requestLimits = {} } = options;
  const { shards, shardsOfPool } = keys;
  const declared = joinServices(readPlan({ shards }).producer.vars);
  const plan = readPlan({
    shards,
    stores,
    drainingStores: leftStores,
    vars: {
      // The local queue lives in memory: what is accepted is recorded first, so that it survives a crash.
      ACCEPT: 'queue+record',
      ALLOW_PRIVATE_TARGETS: 'true',
      PUBLIC_URL: url,
      KEY_SHARDS: shardsOfPool,
      ...(!asDeployed && { CONNECTIONS: String(LOCAL_BATCH) }),
      SERVICES: { ...(declared as ServiceInputs | undefined), ...services },
      ...vars,
    },
  });
  const local = asDeployed ? plan : withRequestCounts(withLargeBatches(plan), requestLimits);
  return mains === undefined ? local : withMains(local, mains);
}

/**
 * The local runtime hands over one batch a queue at a time, and lets any number of connections wait: what is
 * deployed as many small batches, six calls each, is one large batch here that calls all at once.
 */
const LOCAL_BATCH = 100;

function withLargeBatches(plan: Plan): Plan {
  return {
    ...plan,
    consumers: plan.consumers.map((consumer) => ({
      ...consumer,
      vars: { ...consumer.vars, INVOCATIONS: '1' },
      queues: {
        ...consumer.queues,
        consumers: consumer.queues.consumers.map((settings) => ({ ...settings, max_batch_size: LOCAL_BATCH })),
      },
    })),
  };
}

/**
 * Deployed, a count of requests is kept in the memory of a location; the local runtime writes each to a Durable
 * Object, which costs more than accepting a task, and everything on a machine comes from one address.
 */
function withRequestCounts(plan: Plan, limits: Partial<RequestLimits>): Plan {
  const ratelimits = plan.producer.ratelimits.flatMap((counter) => {
    if (!isRequestCounter(counter.name)) return [counter];
    const limit = limits[counter.name];
    return limit === undefined ? [] : [{ ...counter, simple: { ...counter.simple, limit } }];
  });
  return { ...plan, producer: { ...plan.producer, ratelimits } };
}

function isRequestCounter(name: string): name is keyof RequestLimits {
  return name.startsWith('REQUESTS_BY_');
}

function withMains(plan: Plan, mains: Mains): Plan {
  return {
    ...plan,
    producer: { ...plan.producer, main: mains.producer },
    callback: { ...plan.callback, main: mains.callback },
    consumers: plan.consumers.map((consumer) => ({ ...consumer, main: mains.consumer })),
  };
}

/** @throws LaunchError naming keys that are given twice, or the service that cannot work and what it lacks */
export function checkServices(plan: Plan, keys: KeyPlan, secrets: LocalSecrets): void {
  const [problem] = keyProblems(keys.variables.flat(), (name) => secrets[name]);
  if (problem !== undefined) throw new LaunchError(problem);
  const around = surroundingsOf(plan, keys, (name) => secrets[name] !== undefined, true);
  const [refused] = reviewServices(servicesOf(plan), around).filter(({ kind }) => kind === 'refused');
  if (refused !== undefined) throw new LaunchError(`SERVICES.${refused.path.join('.')}: ${refused.message}`);
}

/** Every Worker as the runtime takes it; the producer listens on `port`. */
export function localWorkers(
  plan: Plan,
  keys: KeyPlan,
  bundles: Bundles,
  secrets: LocalSecrets,
  port: number,
  network: NetworkService = NETWORK,
) {
  const names = secretNames(plan, keys);
  return workersOf(plan).map((worker) => {
    const own = Object.fromEntries(
      (names.get(worker) ?? []).flatMap((name) => (secrets[name] === undefined ? [] : [[name, secrets[name]]])),
    );
    if (worker === plan.producer)
      return workerOptions(worker, bundles.producer, own, { socket: { host: LOCAL_HOST, port } });
    if (worker === plan.callback) return workerOptions(worker, bundles.callback, own);
    return workerOptions(worker, bundles.consumer, own, { outbound: network });
  });
}
