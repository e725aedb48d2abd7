/** What reaches a Worker: its queues, its clock, its addresses. Made last, when it is ready for them. Pure. */
import type { Account, AccountWorker, QueueConsumerSettings } from '../account/account.ts';
import type { DesiredWorker } from '../desired.ts';
import type { WorkerConfig } from '../plan/wrangler-file.ts';
import type { Step } from './step.ts';

type ConsumedQueue = WorkerConfig['queues']['consumers'][number];

export function connectionSteps(account: Account, worker: DesiredWorker, existing: AccountWorker | undefined): Step[] {
  return [
    ...worker.config.queues.consumers.flatMap((consumed) => queueStep(account, worker, consumed)),
    ...cronStep(worker, existing),
    ...addressStep(worker, existing),
    ...domainStep(worker, existing),
  ];
}

/** The same Worker, bound to fewer queues. */
export function withoutQueues(worker: WorkerConfig, queues: ReadonlySet<string>): WorkerConfig {
  const producers = worker.queues.producers.filter(({ queue }) => !queues.has(queue));
  return { ...worker, queues: { ...worker.queues, producers } };
}

function queueStep(account: Account, { name, kind }: DesiredWorker, consumed: ConsumedQueue): Step[] {
  const queue = account.queues.get(consumed.queue);
  // The queue of a shard that goes is not made again.
  if (queue === undefined && kind === 'draining') return [];
  const attached = queue?.consumers.find(({ worker }) => worker === name);
  const settings = settingsOf(consumed);
  if (attached !== undefined && sameSettings(attached.settings, settings)) return [];
  const why = attached === undefined ? 'nobody takes its messages' : 'its settings changed';
  return [{ kind: 'attach-queue', queue: consumed.queue, worker: name, settings, why }];
}

function settingsOf(consumed: ConsumedQueue): QueueConsumerSettings {
  return {
    batchSize: consumed.max_batch_size,
    maxRetries: consumed.max_retries,
    maxWaitMs: consumed.max_batch_timeout * 1000,
    maxConcurrency: consumed.max_concurrency,
    retryDelaySeconds: consumed.retry_delay,
    deadLetterQueue: consumed.dead_letter_queue,
  };
}

function sameSettings(one: QueueConsumerSettings, other: QueueConsumerSettings): boolean {
  return (
    one.batchSize === other.batchSize &&
    one.maxRetries === other.maxRetries &&
    one.maxWaitMs === other.maxWaitMs &&
    one.maxConcurrency === other.maxConcurrency &&
    (one.retryDelaySeconds ?? 0) === (other.retryDelaySeconds ?? 0) &&
    (one.deadLetterQueue ?? '') === (other.deadLetterQueue ?? '')
  );
}

function cronStep({ name, config }: DesiredWorker, existing: AccountWorker | undefined): Step[] {
  const { crons } = config.triggers;
  const current = existing?.crons ?? [];
  if (crons.length === current.length && crons.every((cron) => current.includes(cron))) return [];
  return [{ kind: 'set-crons', worker: name, crons, why: crons.length === 0 ? 'has none' : crons.join(', ') }];
}

/** Off unless the configuration says on. */
function addressStep({ name, config }: DesiredWorker, existing: AccountWorker | undefined): Step[] {
  const enabled = config.workers_dev ?? false;
  const previews = config.preview_urls ?? false;
  // Whether a new Worker has an address is the account's default: it is said in any case.
  if (existing?.hasAddress === enabled && existing.hasPreviewAddresses === previews) return [];
  const why = enabled ? 'is reached at its workers.dev address' : 'has no public address';
  return [{ kind: 'set-address', worker: name, enabled, previews, why }];
}

function domainStep({ name, config }: DesiredWorker, existing: AccountWorker | undefined): Step[] {
  const domains = config.routes.map(({ pattern }) => pattern);
  const current = existing?.domains ?? [];
  if (domains.length === current.length && domains.every((domain) => current.includes(domain))) return [];
  const why = domains.length === 0 ? 'wrangler.toml names none any more' : 'wrangler.toml names them';
  return [{ kind: 'set-domains', worker: name, domains, why }];
}
