/**
 * The way from what an account has to what a plan wants, in an order in which every prefix leaves a
 * system that works: what is bound comes before who binds it, a queue has its consumer before anybody
 * sends to it, a Worker has its secrets before anything reaches it, and nobody sends to a queue any more
 * before it is drained. Pure.
 */
import type { AccountWorker } from '../account/account.ts';
import { type DesiredWorker, queueOfConsumer } from '../desired.ts';
import { wholeSettings } from '../upload/metadata.ts';
import { connectionSteps, withoutQueues } from './connections.ts';
import type { DiffInput } from './diff-input.ts';
import { providedSecrets, secretsToRemove, secretsToSet } from './secrets.ts';
import type { Step } from './step.ts';

export function diffAccount(input: DiffInput): Step[] {
  const { desired, account } = input;
  const deploy = (worker: DesiredWorker) => workerSteps(input, worker);
  const unserved = unservedConsumers(input);
  const interim = interimCallback(input, unserved);
  return [
    ...resourceSteps(input),
    ...deploy(interim),
    ...unserved.flatMap(deploy),
    ...desired.consumers.filter((worker) => !unserved.includes(worker)).flatMap(deploy),
    ...desired.draining.filter((worker) => account.queues.has(queueOfConsumer(worker.config))).flatMap(deploy),
    ...(interim === desired.callback
      ? []
      : uploadStep(input, desired.callback, 'sends to the new shards now that they have consumers')),
    ...refillSteps(input),
    ...deploy(desired.producer),
    ...drainSteps(input),
    ...removalSteps(input),
  ];
}

function resourceSteps({ desired, account }: DiffInput): Step[] {
  const databases = desired.databases.flatMap(({ name, migrations }): Step[] => {
    const existing = account.databases.get(name);
    const pending = migrations.filter((migration) => existing?.migrations.has(migration.name) !== true);
    return [
      ...(existing === undefined ? [{ kind: 'create-database', database: name, why: 'does not exist' } as const] : []),
      ...pending.map((migration) => ({ kind: 'migrate', database: name, migration, why: 'is not applied' }) as const),
    ];
  });
  return [
    ...desired.queues
      .filter((queue) => !account.queues.has(queue))
      .map(
        (queue) =>
          ({ kind: 'create-queue', queue, retentionSeconds: desired.retentionSeconds, why: 'does not exist' }) as const,
      ),
    ...desired.buckets
      .filter((bucket) => !account.buckets.has(bucket))
      .map((bucket) => ({ kind: 'create-bucket', bucket, why: 'does not exist' }) as const),
    ...databases,
  ];
}

/** Consumers that do not take anything from their queue yet. */
function unservedConsumers({ desired, account }: DiffInput): DesiredWorker[] {
  return desired.consumers.filter(({ name, config }) => {
    const queue = account.queues.get(queueOfConsumer(config));
    return queue?.consumers.some(({ worker }) => worker === name) !== true;
  });
}

/**
 * The callback Worker is deployed before the consumers, which call it, but must not send to a shard before
 * all new ones have their consumers: until then it keeps to the queues that it knows.
 */
function interimCallback({ desired, account }: DiffInput, unserved: readonly DesiredWorker[]): DesiredWorker {
  const { callback, consumers } = desired;
  const known = account.workers.get(callback.name)?.sendsTo;
  if (known === undefined || unserved.length === 0) return callback;
  const unknown = consumers.map(({ config }) => queueOfConsumer(config)).filter((queue) => !known.has(queue));
  if (unknown.length === 0 || unknown.length === consumers.length) return callback;
  return { ...callback, config: withoutQueues(callback.config, new Set(unknown)) };
}

function workerSteps(input: DiffInput, worker: DesiredWorker): Step[] {
  const existing = input.account.workers.get(worker.name);
  const upload = uploadStep(input, worker);
  const unchanged = existing !== undefined && upload.length === 0;
  return [
    ...upload,
    ...(unchanged ? [...secretsToSet(input, worker, existing), ...settingsStep(worker, existing)] : []),
    ...secretsToRemove(input, worker, existing),
    ...connectionSteps(input.account, worker, existing),
  ];
}

function uploadStep(input: DiffInput, worker: DesiredWorker, reason?: string): Step[] {
  const existing = input.account.workers.get(worker.name);
  const isRunning = existing?.isNewest === true && existing.release === input.releaseOf(worker);
  if (isRunning) return [];
  const why = existing === undefined ? 'does not exist' : (reason ?? changeOf(input, worker, existing));
  return [{ kind: 'upload', worker, appliedTag: existing?.migrationTag, secrets: providedSecrets(input, worker), why }];
}

function changeOf(input: DiffInput, worker: DesiredWorker, { release, isNewest }: AccountWorker): string {
  if (worker.kind === 'draining') return 'is to send on what is in its queue';
  if (release === input.releaseOf(worker)) return 'runs, but is not the newest version: secrets could not be changed';
  if (!isNewest) return 'was rolled back';
  return release === undefined ? 'was uploaded by something else' : 'its code or configuration changed';
}

/** What an upload would have set besides, where there is none. */
function settingsStep({ name, config }: DesiredWorker, { settings: current }: AccountWorker): Step[] {
  const settings = wholeSettings(config);
  const differing = (Object.keys(settings) as (keyof typeof settings)[]).filter(
    (part) => !isWithin(settings[part], current[part] ?? ABSENT[part]),
  );
  if (differing.length === 0) return [];
  return [{ kind: 'set-settings', worker: name, settings, why: `changed: ${differing.join(', ')}` }];
}

/** What a Worker has of which the account says nothing. */
const ABSENT = { observability: { enabled: false }, logpush: false, tail_consumers: [] } as const;

/** Whether all that is wanted is there; the account fills in defaults of its own. */
function isWithin(wanted: unknown, found: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(found) && wanted.length === found.length && wanted.every((one, at) => isWithin(one, found[at]))
    );
  }
  if (typeof wanted !== 'object' || wanted === null) return wanted === found;
  const there = (typeof found === 'object' && found !== null ? found : {}) as Readonly<Record<string, unknown>>;
  return Object.entries(wanted).every(([name, value]) => isWithin(value, there[name]));
}

/** Before the producer gives them tasks again: a store that is thought to drain might be taken away. */
function refillSteps({ desired, account }: DiffInput): Step[] {
  return desired.databases
    .filter(({ name }) => account.databases.get(name)?.draining !== undefined && !desired.drainingDatabases.has(name))
    .map(({ name }) => ({ kind: 'refill-store', database: name, why: 'gets tasks again' }) as const);
}

/** After the last producer that gave them tasks is gone: from then on their messages grow old. */
function drainSteps({ desired, account }: DiffInput): Step[] {
  const fresh = [...desired.drainingDatabases].filter((name) => account.databases.get(name)?.draining === undefined);
  const gone = [...account.databases.keys()].filter((name) => !desired.databases.some((kept) => kept.name === name));
  return [
    ...fresh.map((name) => ({ kind: 'drain-store', database: name, why: 'gets no new tasks' }) as const),
    ...gone.map((name) => ({ kind: 'delete-database', database: name, why: 'its last task is gone' }) as const),
  ];
}

/** Shards that go: their queue first, once it is empty, then their Worker. Some of it may be gone already. */
function removalSteps({ desired, account }: DiffInput): Step[] {
  return desired.draining.flatMap(({ name, config }): Step[] => {
    const queue = queueOfConsumer(config);
    const why = 'no key needs this shard';
    return [
      ...(account.queues.has(queue)
        ? ([
            { kind: 'drain-queue', queue, worker: name, why },
            { kind: 'delete-queue', queue, why },
          ] as const)
        : []),
      { kind: 'delete-worker', worker: name, why },
    ];
  });
}
