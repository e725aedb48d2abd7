/**
 * One Worker of the plan in the words of the local runtime. Pure. A binding that the local runtime is
 * not told about is an error, not silence: the local run would differ from the deploy.
 */
import type { LegacyWorkerOptions } from 'miniflare';
import { type BundleModule, MODULES_ROOT } from '../deploy/build/bundle.ts';
import type { WorkerConfig } from '../deploy/plan/wrangler-file.ts';
import { LaunchError } from '../terminal/launch-error.ts';
import type { NetworkService } from './network.ts';

/** What is mapped below, or has no meaning in the local runtime. */
const KNOWN_SECTIONS = new Set([
  'compatibility_date',
  'compatibility_flags',
  'd1_databases',
  'durable_objects',
  // It went into the bundle.
  'keep_names',
  // The local run writes its log itself, runs no longer than it takes, and runs here.
  'limits',
  'logpush',
  'main',
  // Which classes there are: locally the bindings say it.
  'migrations',
  'name',
  'observability',
  'placement',
  'preview_urls',
  'queues',
  'r2_buckets',
  'ratelimits',
  'routes',
  'rules',
  'secrets',
  'services',
  'tail_consumers',
  'triggers',
  'vars',
  'workers_dev',
]);

type Json = NonNullable<LegacyWorkerOptions['bindings']>[string];

/**
 * @param secrets values bound beside the variables
 * @param socket where the Worker listens by itself, without a proxy in front
 * @param outbound what it reaches the network through, as the binding `OUTBOUND`
 * @throws LaunchError for a section it does not know
 */
export function workerOptions(
  worker: WorkerConfig,
  modules: readonly BundleModule[],
  secrets: Readonly<Record<string, string>>,
  { socket, outbound }: { socket?: { readonly host: string; readonly port: number }; outbound?: NetworkService } = {},
): LegacyWorkerOptions {
  const unknown = Object.keys(worker).filter((section) => !KNOWN_SECTIONS.has(section));
  if (unknown.length > 0) {
    throw new LaunchError(`local/worker-options.ts cannot run ${unknown.join(', ')} of ${worker.name} locally`);
  }
  return {
    name: worker.name,
    compatibilityDate: worker.compatibility_date,
    compatibilityFlags: worker.compatibility_flags ?? [],
    modules: [...modules],
    modulesRoot: MODULES_ROOT,
    // Otherwise Miniflare takes every request apart and puts its headers together anew: 19 µs a task.
    stripCfConnectingIp: false,
    bindings: { ...(worker.vars as Record<string, Json>), ...secrets },
    serviceBindings: {
      ...Object.fromEntries(
        worker.services.map(({ binding, service, entrypoint }) => [
          binding,
          { name: service, ...(entrypoint !== undefined && { entrypoint }) },
        ]),
      ),
      ...(outbound !== undefined && { OUTBOUND: outbound }),
    },
    d1Databases: Object.fromEntries(worker.d1_databases.map(({ binding, database_name }) => [binding, database_name])),
    r2Buckets: Object.fromEntries(worker.r2_buckets.map(({ binding, bucket_name }) => [binding, bucket_name])),
    ratelimits: Object.fromEntries(
      worker.ratelimits.map(({ name, namespace_id, simple }) => [name, { namespace_id, simple }]),
    ),
    durableObjects: Object.fromEntries(
      worker.durable_objects.bindings.map(({ name, class_name }) => [name, { className: class_name, useSQLite: true }]),
    ),
    queueProducers: Object.fromEntries(
      worker.queues.producers.map(({ binding, queue }) => [binding, { queueName: queue }]),
    ),
    // Every option is set: those left out differ from production.
    queueConsumers: Object.fromEntries(
      worker.queues.consumers.map((consumer) => [
        consumer.queue,
        {
          maxBatchSize: consumer.max_batch_size,
          maxBatchTimeout: consumer.max_batch_timeout,
          maxRetries: consumer.max_retries,
          retryDelay: consumer.retry_delay ?? 0,
          ...(consumer.dead_letter_queue !== undefined && { deadLetterQueue: consumer.dead_letter_queue }),
        },
      ]),
    ),
    ...(socket !== undefined && { unsafeDirectSockets: [socket] }),
  };
}
