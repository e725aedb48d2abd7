/** A Worker of an account in the words of the local runtime: its modules, bindings, secrets, and the queues it consumes. */
import type { LegacyWorkerOptions } from 'miniflare';
import type { Binding } from '../deploy/upload/metadata.ts';
import type { CloudQueue, FakeCloudflare } from './fake-cloudflare.ts';
import type { Script } from './script.ts';

const MODULES_ROOT = '/uploaded';

type Json = NonNullable<LegacyWorkerOptions['bindings']>[string];

/** @param vars in place of what was deployed */
export function localWorker(
  cloud: FakeCloudflare,
  script: Script,
  vars: Readonly<Record<string, unknown>>,
): LegacyWorkerOptions {
  const { bindings } = script.metadata;
  const of = (type: string) => bindings.filter((binding) => binding.type === type);
  const [main, ...others] = [...script.files]
    .filter(({ name }) => !name.endsWith('.map'))
    .sort((a, b) => Number(b.name === script.metadata.main_module) - Number(a.name === script.metadata.main_module));
  if (main === undefined) throw new Error(`${script.name} has no modules`);
  const consumed = [...cloud.queues.values()].filter(({ consumers }) =>
    [...consumers.values()].some((consumer) => consumer.script === script.name),
  );
  return {
    name: script.name,
    compatibilityDate: script.metadata.compatibility_date,
    compatibilityFlags: [...script.metadata.compatibility_flags],
    modulesRoot: MODULES_ROOT,
    modules: [
      { type: 'ESModule', path: `${MODULES_ROOT}/${main.name}`, contents: main.contents },
      ...others.map(({ name, contents }) => ({
        type: 'Text' as const,
        path: `${MODULES_ROOT}/${name.replace(/^\.\//, '')}`,
        contents,
      })),
    ],
    bindings: { ...plainBindings(bindings), ...Object.fromEntries(script.secrets), ...(vars as Record<string, Json>) },
    serviceBindings: Object.fromEntries(
      of('service').map(({ name, service, entrypoint }) => [
        name,
        { name: String(service), ...(entrypoint !== undefined && { entrypoint: String(entrypoint) }) },
      ]),
    ),
    ratelimits: Object.fromEntries(
      of('ratelimit').map(({ name, namespace_id, simple }) => [
        name,
        { namespace_id: String(namespace_id), simple: simple as { limit: number; period: 10 | 60 } },
      ]),
    ),
    r2Buckets: Object.fromEntries(of('r2_bucket').map(({ name, bucket_name }) => [name, String(bucket_name)])),
    d1Databases: Object.fromEntries(of('d1').map(({ name, id }) => [name, String(id)])),
    durableObjects: Object.fromEntries(
      of('durable_object_namespace').map(({ name, class_name }) => [
        name,
        { className: String(class_name), useSQLite: true },
      ]),
    ),
    queueProducers: Object.fromEntries(
      of('queue').map(({ name, queue_name }) => [name, { queueName: String(queue_name) }]),
    ),
    queueConsumers: Object.fromEntries(consumed.map((queue) => [queue.name, settingsOf(queue)])),
  };
}

function plainBindings(bindings: readonly Binding[]): Record<string, Json> {
  return Object.fromEntries(
    bindings.flatMap(({ name, type, text, json }): [string, Json][] => {
      if (type === 'plain_text') return [[name, String(text)]];
      return type === 'json' ? [[name, json as Json]] : [];
    }),
  );
}

function settingsOf({ consumers }: CloudQueue) {
  const [consumer] = consumers.values();
  const { batch_size, max_wait_time_ms, max_retries, retry_delay } = consumer?.settings ?? {};
  return {
    maxBatchSize: Number(batch_size),
    maxBatchTimeout: Number(max_wait_time_ms) / 1000,
    maxRetries: Number(max_retries),
    retryDelay: Number(retry_delay ?? 0),
    ...(consumer?.deadLetterQueue !== undefined && { deadLetterQueue: consumer.deadLetterQueue }),
  };
}
