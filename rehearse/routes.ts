/** The API's addresses, and what each does to the account. Only those that a deploy uses: others are refused. */
import * as z from 'zod';
import type { UploadMetadata } from '../deploy/upload/metadata.ts';
import { type Cloud, type CloudQueue, Refusal } from './fake-cloudflare.ts';

export interface ApiRequest {
  readonly method: string;
  /** Below the account. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly body: Buffer<ArrayBuffer>;
}

type Handler = (cloud: Cloud, names: readonly string[], request: ApiRequest) => unknown;

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly changes: boolean;
  readonly handle: Handler;
}

const SecretsSchema = z.strictObject({
  secrets: z.record(
    z.string(),
    z.union([z.null(), z.strictObject({ name: z.string(), type: z.literal('secret_text'), text: z.string().min(1) })]),
  ),
});

const ConsumerSchema = z.strictObject({
  type: z.literal('worker'),
  script_name: z.string(),
  dead_letter_queue: z.string().optional(),
  settings: z.strictObject({
    batch_size: z.number().int().min(1).max(100),
    max_retries: z.number().int().min(0).max(100),
    max_wait_time_ms: z.number().int().min(0).max(60_000),
    max_concurrency: z.number().int().min(1).max(250).optional(),
  }),
});

const QueueSchema = z.strictObject({
  queue_name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  settings: z.strictObject({ message_retention_period: z.number().int().min(60).max(1_209_600) }),
});

const DatabaseSchema = z.strictObject({ name: z.string() });

const QuerySchema = z.strictObject({ sql: z.string().min(1), params: z.array(z.string()).default([]) });

const AddressSchema = z.strictObject({ enabled: z.boolean(), previews_enabled: z.boolean() });

const DomainsSchema = z.looseObject({ origins: z.array(z.strictObject({ hostname: z.string() })) });

const SCRIPT = '([a-z0-9-]+)';
const ID = '([0-9a-f]{32})';

const ROUTES: readonly Route[] = [
  read('/workers/subdomain', (cloud) => ({ subdomain: cloud.subdomain })),
  read('/workers/scripts', (cloud) => [...cloud.scripts.keys()].map((id) => ({ id }))),
  read(`/workers/services/${SCRIPT}`, (cloud, [name = '']) => {
    const { migrationTag, metadata } = cloud.script(name);
    return { id: name, default_environment: { script: { migration_tag: migrationTag, tags: metadata.tags ?? null } } };
  }),
  read(`/workers/scripts/${SCRIPT}/settings`, (cloud, [name = '']) => {
    const { metadata, secrets } = cloud.script(name);
    const secretBindings = [...secrets.keys()].map((secret) => ({ name: secret, type: 'secret_text' }));
    return { bindings: [...metadata.bindings, ...secretBindings], tags: metadata.tags ?? null };
  }),
  read(`/workers/scripts/${SCRIPT}/subdomain`, (cloud, [name = '']) => {
    const { hasAddress, hasPreviews } = cloud.script(name);
    return { enabled: hasAddress, previews_enabled: hasPreviews };
  }),
  read(`/workers/scripts/${SCRIPT}/schedules`, (cloud, [name = '']) => ({
    schedules: cloud.script(name).crons.map((cron) => ({ cron })),
  })),
  read('/workers/domains', (cloud, _names, { query }) =>
    [...cloud.scripts.values()]
      .filter(({ name }) => name === query.get('service'))
      .flatMap(({ domains }) => domains.map((hostname) => ({ hostname }))),
  ),
  read('/queues', (cloud) => [...cloud.queues.values()].map(queueView)),
  read(`/queues/${ID}/metrics`, (cloud, [id = '']) => {
    const queue = cloud.queue(id);
    deliver(cloud, queue);
    return { backlog_count: queue.backlog, backlog_bytes: queue.backlog * 500, oldest_message_timestamp_ms: 0 };
  }),
  read('/d1/database', (cloud) => [...cloud.databases].map(([uuid, { name }]) => ({ uuid, name }))),
  read('/r2/buckets', (cloud) => ({ buckets: [...cloud.buckets].map((name) => ({ name })) })),
  read(`/r2/buckets/${SCRIPT}`, (cloud, [name = '']) => {
    if (!cloud.buckets.has(name)) throw new Refusal(404, 10006, 'no such bucket');
    return { name };
  }),

  change('PUT', `/workers/scripts/${SCRIPT}`, async (cloud, [name = ''], request) => {
    const form = await new Response(request.body, { headers: { 'content-type': request.contentType } }).formData();
    const metadata = form.get('metadata');
    if (!(metadata instanceof Blob)) throw new Refusal(400, 10021, 'no metadata');
    const files = await Promise.all(
      [...form].flatMap(([part, file]) =>
        part === 'metadata' || typeof file === 'string'
          ? []
          : [file.text().then((contents) => ({ name: part, contents }))],
      ),
    );
    cloud.upload(name, JSON.parse(await metadata.text()) as UploadMetadata, files);
    return { id: name };
  }),
  change('PATCH', `/workers/scripts/${SCRIPT}/secrets-bulk`, (cloud, [name = ''], request) => {
    if (request.contentType !== 'application/merge-patch+json') throw new Refusal(415, 10021, 'not a merge patch');
    cloud.patchSecrets(name, parse(SecretsSchema, request).secrets);
    return {};
  }),
  change('PUT', `/workers/scripts/${SCRIPT}/schedules`, (cloud, [name = ''], request) => {
    cloud.script(name).crons = parse(z.array(z.strictObject({ cron: z.string() })), request).map(({ cron }) => cron);
    return {};
  }),
  change('POST', `/workers/scripts/${SCRIPT}/subdomain`, (cloud, [name = ''], request) => {
    const { enabled, previews_enabled } = parse(AddressSchema, request);
    const script = cloud.script(name);
    script.hasAddress = enabled;
    script.hasPreviews = previews_enabled;
    return {};
  }),
  change('PUT', `/workers/scripts/${SCRIPT}/domains/records`, (cloud, [name = ''], request) => {
    cloud.script(name).domains = parse(DomainsSchema, request).origins.map(({ hostname }) => hostname);
    return {};
  }),
  change('DELETE', `/workers/scripts/${SCRIPT}`, (cloud, [name = ''], { query }) => {
    cloud.deleteScript(name, query.get('force') === 'true');
    return {};
  }),
  change('POST', '/queues', (cloud, _names, request) => {
    const { queue_name, settings } = parse(QueueSchema, request);
    return queueView(cloud.createQueue(queue_name, settings));
  }),
  change('POST', `/queues/${ID}/consumers`, (cloud, [id = ''], request) => {
    const { script_name, dead_letter_queue, settings } = parse(ConsumerSchema, request);
    return cloud.attach(id, { script: script_name, deadLetterQueue: dead_letter_queue, settings });
  }),
  change('PUT', `/queues/${ID}/consumers/${ID}`, (cloud, [id = '', consumer = ''], request) => {
    const { dead_letter_queue, settings } = parse(ConsumerSchema, request);
    cloud.reattach(id, consumer, { deadLetterQueue: dead_letter_queue, settings });
    return {};
  }),
  change('DELETE', `/queues/${ID}/consumers/${ID}`, (cloud, [id = '', consumer = '']) => {
    if (!cloud.queue(id).consumers.delete(consumer)) throw new Refusal(404, 11006, 'no such consumer');
    return {};
  }),
  change('DELETE', `/queues/${ID}`, (cloud, [id = '']) => {
    cloud.deleteQueue(id);
    return {};
  }),
  change('POST', '/d1/database', (cloud, _names, request) => cloud.createDatabase(parse(DatabaseSchema, request).name)),
  change('POST', `/d1/database/${ID}/query`, (cloud, [id = ''], request) => {
    const { sql, params } = parse(QuerySchema, request);
    return [{ results: cloud.query(id, sql, params), success: true }];
  }),
  change('DELETE', `/d1/database/${ID}`, (cloud, [id = '']) => {
    cloud.deleteDatabase(id);
    return {};
  }),
  change('POST', '/r2/buckets', (cloud, _names, request) => {
    const { name } = parse(DatabaseSchema, request);
    if (cloud.buckets.has(name)) throw new Refusal(409, 10004, 'the bucket exists');
    cloud.buckets.add(name);
    return {};
  }),
  change('DELETE', `/r2/buckets/${SCRIPT}`, (cloud, [name = '']) => {
    if (!cloud.buckets.delete(name)) throw new Refusal(404, 10006, 'no such bucket');
    return {};
  }),
];

/** @throws Refusal for an address that no deploy should need */
export function routeOf(request: ApiRequest): { readonly changes: boolean; readonly run: (cloud: Cloud) => unknown } {
  for (const { method, path, changes, handle } of ROUTES) {
    const match = method === request.method ? path.exec(request.path) : null;
    if (match !== null)
      return { changes: changes && !isQuestion(request), run: (cloud) => handle(cloud, match.slice(1), request) };
  }
  throw new Refusal(404, 7003, `no route for ${request.method} ${request.path}`);
}

/** A statement that only reads, sent to where statements are sent. */
function isQuestion({ path, body }: ApiRequest): boolean {
  return path.endsWith('/query') && /^\{"sql":"\s*SELECT/.test(body.subarray(0, 40).toString());
}

function read(path: string, handle: Handler): Route {
  return { method: 'GET', path: new RegExp(`^${path}$`), changes: false, handle };
}

function change(method: string, path: string, handle: Handler): Route {
  return { method, path: new RegExp(`^${path}$`), changes: true, handle };
}

function parse<Schema extends z.ZodType>(schema: Schema, { body }: ApiRequest): z.output<Schema> {
  const parsed = schema.safeParse(JSON.parse(body.toString()));
  if (parsed.success) return parsed.data;
  throw new Refusal(400, 10021, z.prettifyError(parsed.error));
}

function queueView({ id, name, settings, consumers }: CloudQueue) {
  return {
    queue_id: id,
    queue_name: name,
    settings,
    consumers: [...consumers.values()].map((consumer) => ({
      consumer_id: consumer.id,
      script: consumer.script,
      dead_letter_queue: consumer.deadLetterQueue,
      settings: consumer.settings,
    })),
  };
}

/** Time passes between two looks: a consumer takes some messages, and whoever sends to the queue adds one. */
function deliver(cloud: Cloud, queue: CloudQueue): void {
  if (queue.backlog === 0 || queue.consumers.size === 0) return;
  const isFed = cloud.sendersTo(queue.name).length > 0;
  queue.backlog = isFed ? queue.backlog + 1 : Math.max(0, queue.backlog - 2);
}
