/** Reads a deployment's part of an account through the API. Changes nothing. */
import * as z from 'zod';
import {
  type Account,
  type AccountDatabase,
  type AccountQueue,
  type AccountWorker,
  isOurQueue,
  isOurWorker,
  type NameFamily,
  RELEASE_TAG,
} from './account.ts';
import { ApiError, type CloudflareApi } from './api.ts';
import { MIGRATIONS_TABLE, queryDatabase } from './database.ts';

const ScriptSchema = z.looseObject({ id: z.string() });

const ServiceSchema = z.looseObject({
  default_environment: z.looseObject({
    script: z.looseObject({ migration_tag: z.string().nullish(), tags: z.array(z.string()).nullish() }),
  }),
});

const SettingsSchema = z.looseObject({
  bindings: z
    .array(z.looseObject({ name: z.string(), type: z.string(), queue_name: z.string().optional() }))
    .default([]),
});

const SubdomainSchema = z.looseObject({ enabled: z.boolean(), previews_enabled: z.boolean().default(false) });

const SchedulesSchema = z.looseObject({ schedules: z.array(z.looseObject({ cron: z.string() })).default([]) });

const DomainSchema = z.looseObject({ hostname: z.string() });

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

export async function readAccount(api: CloudflareApi, family: NameFamily): Promise<Account> {
  const [subdomain, workers, queues, databases, buckets] = await Promise.all([
    readSubdomain(api),
    readWorkers(api, family),
    readQueues(api, family),
    readDatabases(api, family),
    readBuckets(api, family),
  ]);
  return { subdomain, workers, queues, databases, buckets };
}

async function readSubdomain(api: CloudflareApi): Promise<string | undefined> {
  const found = await api.find('/workers/subdomain', z.looseObject({ subdomain: z.string().nullish() }));
  return found?.subdomain ?? undefined;
}

async function readWorkers(api: CloudflareApi, family: NameFamily): Promise<Map<string, AccountWorker>> {
  const scripts = await api.get('/workers/scripts', z.array(ScriptSchema));
  const names = scripts.map(({ id }) => id).filter((name) => isOurWorker(family, name));
  const workers = new Map<string, AccountWorker>();
  // One after the other: a hundred shards at once would meet the API's own rate limit.
  for (const name of names) {
    const worker = await readWorker(api, name);
    if (worker !== undefined) workers.set(name, worker);
  }
  return workers;
}

/** What a Worker was last uploaded as, and the migrations of its Durable Objects; undefined when there is none. */
export async function readUpload(
  api: CloudflareApi,
  name: string,
): Promise<Pick<AccountWorker, 'release' | 'migrationTag'> | undefined> {
  const service = await api.find(`/workers/services/${name}`, ServiceSchema);
  if (service === undefined) return undefined;
  const { migration_tag: migrationTag, tags } = service.default_environment.script;
  const release = tags?.find((tag) => tag.startsWith(RELEASE_TAG))?.slice(RELEASE_TAG.length);
  return { release, migrationTag: migrationTag ?? undefined };
}

/** undefined when it is gone by now. */
async function readWorker(api: CloudflareApi, name: string): Promise<AccountWorker | undefined> {
  const script = `/workers/scripts/${name}`;
  const [upload, settings, address, schedules, domains] = await Promise.all([
    readUpload(api, name),
    api.find(`${script}/settings`, SettingsSchema),
    api.find(`${script}/subdomain`, SubdomainSchema),
    api.find(`${script}/schedules`, SchedulesSchema),
    api.get(`/workers/domains?service=${name}`, z.array(DomainSchema)),
  ]);
  if (upload === undefined || settings === undefined) return undefined;
  return {
    name,
    ...upload,
    secrets: new Set(settings.bindings.filter(({ type }) => type === 'secret_text').map((binding) => binding.name)),
    sendsTo: new Set(settings.bindings.flatMap(({ queue_name }) => queue_name ?? [])),
    crons: schedules?.schedules.map(({ cron }) => cron) ?? [],
    domains: domains.map(({ hostname }) => hostname),
    hasAddress: address?.enabled ?? false,
    hasPreviewAddresses: address?.previews_enabled ?? false,
  };
}

export async function readQueues(api: CloudflareApi, family: NameFamily): Promise<Map<string, AccountQueue>> {
  const queues = await api.list('/queues', QueueSchema);
  return new Map(
    queues
      .filter(({ queue_name }) => isOurQueue(family, queue_name))
      .map((queue) => [
        queue.queue_name,
        {
          name: queue.queue_name,
          id: queue.queue_id,
          consumers: queue.consumers.map(({ consumer_id, script, script_name, service, settings, ...consumer }) => ({
            id: consumer_id,
            worker: script ?? script_name ?? service,
            settings: {
              batchSize: settings.batch_size ?? undefined,
              maxRetries: settings.max_retries ?? undefined,
              maxWaitMs: settings.max_wait_time_ms ?? undefined,
              maxConcurrency: settings.max_concurrency ?? undefined,
              deadLetterQueue: consumer.dead_letter_queue ?? undefined,
            },
          })),
        },
      ]),
  );
}

export async function readDatabases(api: CloudflareApi, family: NameFamily): Promise<Map<string, AccountDatabase>> {
  if (family.databases.length === 0) return new Map();
  const found = await api.list('/d1/database', DatabaseSchema);
  const ours = found.filter(({ name }) => family.databases.includes(name));
  const databases = await Promise.all(
    ours.map(async ({ name, uuid }): Promise<[string, AccountDatabase]> => {
      return [name, { name, id: uuid, migrations: await readMigrations(api, uuid) }];
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
    if (error instanceof ApiError && error.status === 403) {
      throw new ApiError('R2', 403, 'is not enabled in this account; open R2 in the dashboard once');
    }
    throw error;
  }
}
