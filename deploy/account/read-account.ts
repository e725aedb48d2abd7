/** Reads a deployment's part of an account through the API. Changes nothing. */
import * as z from 'zod';
import { INLINE_LIMIT } from '../../shared/task/content.ts';
import {
  type Account,
  type AccountDatabase,
  type AccountQueue,
  type AccountWorker,
  isOurDatabase,
  isOurQueue,
  isOurWorker,
  type NameFamily,
  RELEASE_PREFIX,
  shardOf,
} from './account.ts';
import type { CloudflareApi } from './api.ts';
import { ApiError } from './api-error.ts';
import { MIGRATIONS_TABLE, queryDatabase, readDraining } from './database.ts';

const ScriptSchema = z.looseObject({
  id: z.string(),
  migration_tag: z.string().nullish(),
  observability: z.record(z.string(), z.unknown()).nullish(),
  logpush: z.boolean().nullish(),
  tail_consumers: z.array(z.record(z.string(), z.unknown())).nullish(),
});
type ScriptAnswer = z.output<typeof ScriptSchema>;

const DeploymentsSchema = z.looseObject({
  deployments: z
    .array(
      z.looseObject({
        versions: z.array(z.looseObject({ version_id: z.string(), percentage: z.number().default(100) })),
      }),
    )
    .default([]),
});

const VersionsSchema = z.looseObject({ items: z.array(z.looseObject({ id: z.string() })).default([]) });

const BindingSchema = z.looseObject({ name: z.string(), type: z.string(), queue_name: z.string().optional() });

const VersionSchema = z.looseObject({
  annotations: z.record(z.string(), z.unknown()).nullish(),
  resources: z.looseObject({ bindings: z.array(BindingSchema).default([]) }),
});
type VersionAnswer = z.output<typeof VersionSchema>;

const SubdomainSchema = z.looseObject({ enabled: z.boolean(), previews_enabled: z.boolean().default(false) });

const SchedulesSchema = z.looseObject({ schedules: z.array(z.looseObject({ cron: z.string() })).default([]) });

const DomainSchema = z.looseObject({ hostname: z.string(), service: z.string() });

const ConsumerSchema = z.looseObject({
  consumer_id: z.string(),
  script: z.string().optional(),
  script_name: z.string().optional(),
  service: z.string().optional(),
  dead_letter_queue: z.string().nullish(),
  settings: z
    .looseObject({
      batch_size: z.number().nullish(),
      max_retries: z.number().nullish(),
      max_wait_time_ms: z.number().nullish(),
      max_concurrency: z.number().nullish(),
      retry_delay: z.number().nullish(),
    })
    .default({}),
});

const QueueSchema = z.looseObject({
  queue_id: z.string(),
  queue_name: z.string(),
  consumers: z.array(ConsumerSchema).default([]),
});

const DatabaseSchema = z.looseObject({ uuid: z.string(), name: z.string() });

const BucketsSchema = z.looseObject({ buckets: z.array(z.looseObject({ name: z.string() })).default([]) });

/** Workers that are read at the same time, each with a handful of calls. */
const AT_ONCE = 4;

/** How often it is said how far the reading is. */
const TOLD_EVERY = 25;

export async function readAccount(
  api: CloudflareApi,
  family: NameFamily,
  say: (line: string) => void = () => {},
): Promise<Account> {
  const [subdomain, { workers, otherWorkers }, queues, databases, buckets] = await Promise.all([
    readSubdomain(api),
    readWorkers(api, family, say),
    readQueues(api, family),
    readDatabases(api, family),
    readBuckets(api, family),
  ]);
  return { subdomain, workers, queues, databases, buckets, otherWorkers };
}

async function readSubdomain(api: CloudflareApi): Promise<string | undefined> {
  const found = await api.find('/workers/subdomain', z.looseObject({ subdomain: z.string().nullish() }));
  return found?.subdomain ?? undefined;
}

async function readWorkers(api: CloudflareApi, family: NameFamily, say: (line: string) => void) {
  const [scripts, domains] = await Promise.all([readScripts(api), api.get('/workers/domains', z.array(DomainSchema))]);
  const ours = scripts.filter(({ id }) => isOurWorker(family, id));
  const workers = new Map<string, AccountWorker>();
  const waiting = [...ours];
  let done = 0;
  const readOn = async () => {
    for (let script = waiting.shift(); script !== undefined; script = waiting.shift()) {
      const { id } = script;
      const own = domains.filter(({ service }) => service === id).map(({ hostname }) => hostname);
      const worker = await readWorker(api, script, own);
      if (worker !== undefined) workers.set(id, worker);
      done += 1;
      if (done % TOLD_EVERY === 0) say(`      read ${done} of ${ours.length} Workers`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, readOn));
  return { workers, otherWorkers: scripts.length - ours.length };
}

function readScripts(api: CloudflareApi): Promise<ScriptAnswer[]> {
  return api.get('/workers/scripts', z.array(ScriptSchema));
}

/** How a Worker was last uploaded, and the migrations of its Durable Objects; undefined when there is none. */
export async function readUpload(
  api: CloudflareApi,
  name: string,
): Promise<Pick<AccountWorker, 'release' | 'isNewest' | 'migrationTag'> | undefined> {
  const script = (await readScripts(api)).find(({ id }) => id === name);
  const versions = script && (await readVersions(api, name));
  if (script === undefined || versions === undefined) return undefined;
  const { release, isNewest } = versions;
  return { release, isNewest, migrationTag: script.migration_tag ?? undefined };
}

/** undefined when it is gone by now. */
async function readWorker(
  api: CloudflareApi,
  { id: name, migration_tag: migrationTag, observability, logpush, tail_consumers }: ScriptAnswer,
  domains: readonly string[],
): Promise<AccountWorker | undefined> {
  const script = `/workers/scripts/${name}`;
  const [versions, address, schedules] = await Promise.all([
    readVersions(api, name),
    api.find(`${script}/subdomain`, SubdomainSchema),
    api.find(`${script}/schedules`, SchedulesSchema),
  ]);
  if (versions === undefined) return undefined;
  return {
    name,
    ...versions,
    migrationTag: migrationTag ?? undefined,
    settings: {
      observability: observability ?? undefined,
      logpush: logpush ?? undefined,
      tail_consumers: tail_consumers ?? undefined,
    },
    crons: schedules?.schedules.map(({ cron }) => cron) ?? [],
    domains,
    hasAddress: address?.enabled ?? false,
    hasPreviewAddresses: address?.previews_enabled ?? false,
  };
}

/** The first deployment is the one that serves (the official client's documentation of the list); so is the first version the newest. */
async function readVersions(
  api: CloudflareApi,
  name: string,
): Promise<Pick<AccountWorker, 'release' | 'isNewest' | 'secrets' | 'sendsTo'> | undefined> {
  const script = `/workers/scripts/${name}`;
  const [deployed, listed] = await Promise.all([
    api.find(`${script}/deployments`, DeploymentsSchema),
    api.find(`${script}/versions?page=1&per_page=1`, VersionsSchema),
  ]);
  const newestId = listed?.items[0]?.id;
  if (deployed === undefined || newestId === undefined) return undefined;
  const running = deployed.deployments[0]?.versions ?? [];
  // Two versions may share the requests; neither is then what a deploy made.
  const runningId = running.length === 1 ? running[0]?.version_id : undefined;
  const [newest, live] = await Promise.all([
    api.get(`${script}/versions/${newestId}`, VersionSchema),
    runningId === undefined || runningId === newestId
      ? undefined
      : api.get(`${script}/versions/${runningId}`, VersionSchema),
  ]);
  const isNewest = runningId === newestId;
  const serving = isNewest ? newest : live;
  const secrets = newest.resources.bindings.filter(({ type }) => type === 'secret_text' || type === 'secret_key');
  return {
    release: serving === undefined ? undefined : releaseIn(serving),
    isNewest,
    secrets: new Set(secrets.map((binding) => binding.name)),
    sendsTo: new Set((serving ?? newest).resources.bindings.flatMap(({ queue_name }) => queue_name ?? [])),
  };
}

function releaseIn({ annotations }: VersionAnswer): string | undefined {
  const tag = String(annotations?.['workers/tag'] ?? '');
  return tag.startsWith(RELEASE_PREFIX) ? tag.slice(RELEASE_PREFIX.length) : undefined;
}

export async function readQueues(api: CloudflareApi, family: NameFamily): Promise<Map<string, AccountQueue>> {
  const queues = await api.list('/queues', QueueSchema);
  return new Map(
    queues
      .filter(({ queue_name }) => isOurQueue(family, queue_name))
      .map((queue) => [queue.queue_name, queueOf(queue)] as const),
  );
}

/** undefined when it is gone. */
export async function readQueue(api: CloudflareApi, id: string): Promise<AccountQueue | undefined> {
  const found = await api.find(`/queues/${id}`, QueueSchema);
  return found === undefined ? undefined : queueOf(found);
}

function queueOf({ queue_id: id, queue_name: name, consumers }: z.output<typeof QueueSchema>): AccountQueue {
  return {
    name,
    id,
    consumers: consumers.map(({ consumer_id, script, script_name, service, settings, ...consumer }) => ({
      id: consumer_id,
      worker: script_name ?? script ?? service,
      settings: {
        batchSize: settings.batch_size ?? undefined,
        maxRetries: settings.max_retries ?? undefined,
        maxWaitMs: settings.max_wait_time_ms ?? undefined,
        maxConcurrency: settings.max_concurrency ?? undefined,
        retryDelaySeconds: settings.retry_delay ?? undefined,
        deadLetterQueue: consumer.dead_letter_queue ?? undefined,
      },
    })),
  };
}

export async function readDatabases(api: CloudflareApi, family: NameFamily): Promise<Map<string, AccountDatabase>> {
  if (family.databases.length === 0) return new Map();
  const found = await api.list('/d1/database', DatabaseSchema);
  const ours = found.filter(({ name }) => isOurDatabase(family, name));
  const databases = await Promise.all(
    ours.map(async ({ name, uuid }): Promise<[string, AccountDatabase]> => {
      const migrations = await readMigrations(api, uuid);
      const isStore = shardOf(name, family.storePrefix) !== undefined && migrations.size > 0;
      const draining = isStore ? await readDraining(api, uuid) : undefined;
      return [name, { name, id: uuid, migrations, ...(draining !== undefined && { draining }) }];
    }),
  );
  return new Map(databases);
}

export async function readMigrations(api: CloudflareApi, databaseId: string): Promise<Set<string>> {
  const tables = await queryDatabase(api, databaseId, 'SELECT name FROM sqlite_schema WHERE name = ?1', [
    MIGRATIONS_TABLE,
  ]);
  if (tables.length === 0) return new Set();
  const rows = await queryDatabase(api, databaseId, `SELECT name FROM ${MIGRATIONS_TABLE}`);
  return new Set(rows.map(({ name }) => String(name)));
}

/** "Please enable R2 through the Cloudflare Dashboard", as people met it (nobody documents it). */
const R2_NOT_ENABLED = 10_042;

async function readBuckets(api: CloudflareApi, family: NameFamily): Promise<Set<string>> {
  // An account without R2 refuses to list buckets: it is asked only when one is wanted.
  if (family.buckets.length === 0) return new Set();
  try {
    const found = await Promise.all(
      family.buckets.map((name) => api.get(`/r2/buckets?name_contains=${encodeURIComponent(name)}`, BucketsSchema)),
    );
    const names = found.flatMap(({ buckets }) => buckets.map(({ name }) => name));
    return new Set(names.filter((name) => family.buckets.includes(name)));
  } catch (error) {
    if (!(error instanceof ApiError && error.code === R2_NOT_ENABLED)) throw error;
    throw new ApiError(
      'R2',
      error.status,
      `is not enabled in this account; open R2 in the dashboard once, or leave r2_buckets out of wrangler.toml (bodies above ${INLINE_LIMIT} are refused then)`,
      { code: error.code },
    );
  }
}
