/**
 * What of one deployment exists in an account. Everything that a deploy decides on is read from here at
 * its start; nothing is kept in a file, so two machines and a crashed run agree.
 */

export interface Account {
  /** `<worker>.<subdomain>.workers.dev`; undefined when the account has none yet. */
  readonly subdomain: string | undefined;
  readonly workers: ReadonlyMap<string, AccountWorker>;
  readonly queues: ReadonlyMap<string, AccountQueue>;
  readonly databases: ReadonlyMap<string, AccountDatabase>;
  readonly buckets: ReadonlySet<string>;
  /** Workers of others, which count against the same limit. */
  readonly otherWorkers: number;
}

export interface AccountWorker {
  readonly name: string;
  /** What runs: the hash that its version was tagged with; undefined when that was made by something else. */
  readonly release: string | undefined;
  /**
   * Whether the version that runs, for all requests, is the newest. After a rollback it is not, and the account then
   * refuses to change secrets (10214, 10215) until something newer is uploaded.
   */
  readonly isNewest: boolean;
  /** Of the newest version, which is what the next upload keeps. */
  readonly secrets: ReadonlySet<string>;
  readonly settings: ScriptSettings;
  /** The last applied migration of its Durable Objects. */
  readonly migrationTag: string | undefined;
  readonly crons: readonly string[];
  readonly hasAddress: boolean;
  readonly hasPreviewAddresses: boolean;
  /** Custom domains. */
  readonly domains: readonly string[];
  /** Queues that it sends to. */
  readonly sendsTo: ReadonlySet<string>;
}

/** What belongs to a Worker and to none of its versions. Fields as the API and `wrangler.toml` name them. */
export interface ScriptSettings {
  readonly observability?: Readonly<Record<string, unknown>> | undefined;
  readonly logpush?: boolean | undefined;
  readonly tail_consumers?: readonly Readonly<Record<string, unknown>>[] | undefined;
}

export interface AccountQueue {
  readonly name: string;
  readonly id: string;
  readonly consumers: readonly QueueConsumer[];
}

export interface QueueConsumer {
  readonly id: string;
  readonly worker: string | undefined;
  readonly settings: QueueConsumerSettings;
}

export interface QueueConsumerSettings {
  readonly batchSize: number | undefined;
  readonly maxRetries: number | undefined;
  readonly maxWaitMs: number | undefined;
  readonly maxConcurrency: number | undefined;
  readonly retryDelaySeconds: number | undefined;
  readonly deadLetterQueue: string | undefined;
}

export interface AccountDatabase {
  readonly name: string;
  readonly id: string;
  /** Names of the migrations that were applied. */
  readonly migrations: ReadonlySet<string>;
  /** Of a store other than the first that gets no new tasks. */
  readonly draining?: { readonly since: number; readonly isEmpty: boolean } | undefined;
}

/** What marks a version with the hash of its content: the annotation `workers/tag`, which is versioned as it is. */
export const RELEASE_PREFIX = 'tasklane-';

/**
 * The names that belong to one deployment. Another deployment's name may begin with this one's
 * (`tasklane` and its preview `tasklane-pr-7`), so the rest of the name is looked at too.
 */
export interface NameFamily {
  readonly workers: readonly string[];
  readonly queues: readonly string[];
  readonly databases: readonly string[];
  readonly buckets: readonly string[];
  /** What the names of further stores begin with. */
  readonly storePrefix: string;
  /** What numbered names begin with: `tasklane-consumer-`, `tasklane-tasks-`. */
  readonly consumerPrefix: string;
  readonly queuePrefix: string;
}

export function isOurWorker({ workers, consumerPrefix }: NameFamily, name: string): boolean {
  return workers.includes(name) || shardOf(name, consumerPrefix) !== undefined;
}

export function isOurDatabase({ databases, storePrefix }: NameFamily, name: string): boolean {
  return databases.includes(name) || shardOf(name, storePrefix) !== undefined;
}

export function isOurQueue({ queues, queuePrefix }: NameFamily, name: string): boolean {
  return queues.includes(name) || shardOf(name, queuePrefix) !== undefined;
}

/** The shard that a numbered name stands for. */
export function shardOf(name: string, prefix: string): number | undefined {
  if (!name.startsWith(prefix)) return undefined;
  const rest = name.slice(prefix.length);
  return /^(?:0|[1-9]\d{0,4})$/.test(rest) ? Number(rest) : undefined;
}
