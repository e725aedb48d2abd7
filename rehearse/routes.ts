/** The API's addresses, and what each does to the account. Only those that a deploy uses: others are refused. */
import * as z from 'zod';
import type { UploadMetadata } from '../deploy/upload/metadata.ts';
import {
  bucketAnswer,
  consumerAnswer,
  databaseAnswer,
  deploymentsAnswer,
  domainAnswer,
  metricsAnswer,
  queryAnswer,
  queueAnswer,
  schedulesAnswer,
  scriptAnswer,
  settingsAnswer,
  subdomainAnswer,
  telemetryAnswer,
  versionAnswer,
  versionItem,
} from './answers.ts';
import type { CloudQueue, FakeCloudflare } from './fake-cloudflare.ts';
import { Page } from './page.ts';
import { ApiRefusal, UNPUBLISHED } from './refusal.ts';

export interface ApiRequest {
  readonly method: string;
  /** Below the account. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly body: Buffer<ArrayBuffer>;
}

type Handler = (cloud: FakeCloudflare, names: readonly string[], request: ApiRequest) => unknown;

interface Route {
  readonly method: string;
  readonly path: RegExp;
  readonly changes: boolean;
  readonly handle: Handler;
}

const SecretSchema = z.strictObject({ name: z.string(), type: z.literal('secret_text'), text: z.string().min(1) });

const SecretsSchema = z.strictObject({ secrets: z.record(z.string(), z.union([z.null(), SecretSchema])) });

const ConsumerSchema = z.strictObject({
  type: z.literal('worker'),
  script_name: z.string(),
  dead_letter_queue: z.string().optional(),
  settings: z.strictObject({
    batch_size: z.number().int().min(1).max(100),
    max_retries: z.number().int().min(0).max(100),
    max_wait_time_ms: z.number().int().min(0).max(60_000),
    max_concurrency: z.number().int().min(1).max(250).optional(),
    retry_delay: z.number().int().min(0).max(86_400).optional(),
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

const SettingsSchema = z.strictObject({
  observability: z.looseObject({ enabled: z.boolean().optional() }),
  logpush: z.boolean(),
  tail_consumers: z.array(z.looseObject({ service: z.string() })),
});

/** Of the filters those that a smoke test asks with; others are refused, and not passed over. */
const TelemetrySchema = z.strictObject({
  queryId: z.string(),
  timeframe: z.strictObject({ from: z.number(), to: z.number() }),
  view: z.literal('events'),
  limit: z.number().int().max(2_000),
  parameters: z.strictObject({
    datasets: z.array(z.literal('cloudflare-workers')),
    filterCombination: z.literal('and'),
    filters: z.array(
      z.strictObject({ key: z.string(), operation: z.literal('eq'), type: z.literal('string'), value: z.string() }),
    ),
  }),
});

const TELEMETRY = '/workers/observability/telemetry/query';

const SCRIPT = '([a-z0-9-]+)';
const ID = '([0-9a-f]{32})';
/** Of versions and databases. */
const UUID = '([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})';

const ROUTES: readonly Route[] = [
  read('/workers/subdomain', (cloud) => ({ subdomain: cloud.subdomain })),
  read('/workers/scripts', (cloud) => [...cloud.scripts.values()].map(scriptAnswer)),
  read(`/workers/scripts/${SCRIPT}/deployments`, (cloud, [name = '']) => deploymentsAnswer(cloud.script(name))),
  read(
    `/workers/scripts/${SCRIPT}/versions`,
    (cloud, [name = '']) => new Page(cloud.script(name).versions.map(versionItem).reverse(), 'items'),
  ),
  read(`/workers/scripts/${SCRIPT}/versions/${UUID}`, (cloud, [name = '', id = '']) => {
    const version = cloud.script(name).versions.find((one) => one.id === id);
    if (version === undefined) throw new ApiRefusal(404, 10222, 'no such version');
    return versionAnswer(version);
  }),
  read(`/workers/scripts/${SCRIPT}/subdomain`, (cloud, [name = '']) => subdomainAnswer(cloud.script(name))),
  read(`/workers/scripts/${SCRIPT}/schedules`, (cloud, [name = '']) => schedulesAnswer(cloud.script(name))),
  read('/workers/domains', (cloud) =>
    [...cloud.scripts.values()].flatMap(({ name, domains }) => domains.map((hostname) => domainAnswer(hostname, name))),
  ),
  read('/queues', (cloud) => new Page([...cloud.queues.values()].map(queueAnswer), 'pages')),
  read(`/queues/${ID}`, (cloud, [id = '']) => queueAnswer(cloud.queue(id))),
  read(`/queues/${ID}/metrics`, (cloud, [id = '']) => {
    const queue = cloud.queue(id);
    deliver(cloud, queue);
    return metricsAnswer(queue);
  }),
  read('/d1/database', (cloud) => {
    const all = [...cloud.databases].map(([uuid, { name }]) => databaseAnswer(uuid, name));
    return new Page(all, 'count');
  }),
  read('/r2/buckets', (cloud) => ({ buckets: [...cloud.buckets].map(bucketAnswer) })),
  read(`/r2/buckets/${SCRIPT}`, (cloud, [name = '']) => {
    if (!cloud.buckets.has(name)) throw new ApiRefusal(404, 10006, 'no such bucket');
    return bucketAnswer(name);
  }),

  change('PUT', `/workers/scripts/${SCRIPT}`, async (cloud, [name = ''], request) => {
    if (!request.contentType.startsWith('multipart/form-data')) throw new ApiRefusal(415, 10021, 'not a form');
    const form = await new Response(request.body, { headers: { 'content-type': request.contentType } }).formData();
    const metadata = form.get('metadata');
    if (!(metadata instanceof Blob) || metadata.type !== 'application/json') {
      throw new ApiRefusal(400, 10021, 'no metadata as application/json');
    }
    const metadataText = await metadata.text();
    const files = await Promise.all(
      [...form].flatMap(([part, file]) =>
        part === 'metadata' || typeof file === 'string'
          ? []
          : [file.text().then((contents) => ({ name: part, contents }))],
      ),
    );
    const main = [...form].find(([part]) => part === (JSON.parse(metadataText) as UploadMetadata).main_module)?.[1];
    if (main instanceof Blob && main.type !== 'application/javascript+module') {
      throw new ApiRefusal(400, 10021, `${main.type} is not the type of a module`);
    }
    cloud.upload(name, JSON.parse(metadataText) as UploadMetadata, files);
    return scriptAnswer(cloud.script(name));
  }),
  change('PATCH', `/workers/scripts/${SCRIPT}/secrets-bulk`, (cloud, [name = ''], request) => {
    if (request.contentType !== 'application/merge-patch+json') throw new ApiRefusal(415, 10021, 'not a merge patch');
    cloud.patchSecrets(name, parse(SecretsSchema, request).secrets);
    return {};
  }),
  // What `wrangler secret put` calls: nobody is kept from it between two deploys.
  change('PUT', `/workers/scripts/${SCRIPT}/secrets`, (cloud, [name = ''], request) => {
    const { name: secret, text } = parse(SecretSchema, request);
    cloud.patchSecrets(name, { [secret]: { text } }, 10215);
    return { name: secret, type: 'secret_text' };
  }),
  change('PUT', `/workers/scripts/${SCRIPT}/schedules`, (cloud, [name = ''], request) => {
    const crons = parse(z.array(z.strictObject({ cron: z.string() })), request);
    cloud.setCrons(
      name,
      crons.map(({ cron }) => cron),
    );
    return schedulesAnswer(cloud.script(name));
  }),
  change('PATCH', `/workers/scripts/${SCRIPT}/script-settings`, (cloud, [name = ''], request) => {
    cloud.setSettings(name, parse(SettingsSchema.partial(), request));
    return settingsAnswer(cloud.script(name));
  }),
  change('POST', `/workers/scripts/${SCRIPT}/subdomain`, (cloud, [name = ''], request) => {
    const { enabled, previews_enabled } = parse(AddressSchema, request);
    const script = cloud.script(name);
    script.hasAddress = enabled;
    script.hasPreviews = previews_enabled;
    return subdomainAnswer(script);
  }),
  change('PUT', `/workers/scripts/${SCRIPT}/domains/records`, (cloud, [name = ''], request) => {
    cloud.setDomains(
      name,
      parse(DomainsSchema, request).origins.map(({ hostname }) => hostname),
    );
    return {};
  }),
  change('DELETE', `/workers/scripts/${SCRIPT}`, (cloud, [name = ''], { query }) => {
    cloud.deleteScript(name, query.get('force') === 'true');
    return {};
  }),
  change('POST', '/queues', (cloud, _names, request) => {
    const { queue_name, settings } = parse(QueueSchema, request);
    return queueAnswer(cloud.createQueue(queue_name, settings));
  }),
  change('POST', `/queues/${ID}/consumers`, (cloud, [id = ''], request) => {
    const { script_name, dead_letter_queue, settings } = parse(ConsumerSchema, request);
    return consumerAnswer(
      cloud.queue(id).name,
      cloud.attach(id, { script: script_name, deadLetterQueue: dead_letter_queue, settings }),
    );
  }),
  change('PUT', `/queues/${ID}/consumers/${ID}`, (cloud, [id = '', consumer = ''], request) => {
    const { dead_letter_queue, settings } = parse(ConsumerSchema, request);
    cloud.reattach(id, consumer, { deadLetterQueue: dead_letter_queue, settings });
    return {};
  }),
  change('DELETE', `/queues/${ID}/consumers/${ID}`, (cloud, [id = '', consumer = '']) => {
    if (!cloud.queue(id).consumers.delete(consumer)) throw new ApiRefusal(404, UNPUBLISHED, 'no such consumer');
    return {};
  }),
  change('DELETE', `/queues/${ID}`, (cloud, [id = '']) => {
    cloud.deleteQueue(id);
    return {};
  }),
  change('POST', '/d1/database', (cloud, _names, request) => {
    const { uuid, name } = cloud.createDatabase(parse(DatabaseSchema, request).name);
    return databaseAnswer(uuid, name);
  }),
  change('POST', `/d1/database/${UUID}/query`, async (cloud, [id = ''], request) => {
    const { sql, params } = parse(QuerySchema, request);
    return [queryAnswer(await cloud.query(id, sql, params))];
  }),
  change('DELETE', `/d1/database/${UUID}`, (cloud, [id = '']) => {
    cloud.deleteDatabase(id);
    return {};
  }),
  // A question, although it is posted.
  {
    ...read(TELEMETRY, (cloud, _names, request) => {
      const { timeframe, parameters } = parse(TelemetrySchema, request);
      const lines = cloud.logs.filter(
        ({ timestamp, line }) =>
          timestamp >= timeframe.from &&
          timestamp <= timeframe.to &&
          parameters.filters.every(({ key, value }) => line[key] === value),
      );
      return telemetryAnswer(lines, timeframe);
    }),
    method: 'POST',
  },
  change('POST', '/r2/buckets', (cloud, _names, request) => {
    const { name } = parse(DatabaseSchema, request);
    if (cloud.buckets.has(name)) throw new ApiRefusal(409, UNPUBLISHED, 'the bucket exists');
    cloud.buckets.add(name);
    return {};
  }),
  change('DELETE', `/r2/buckets/${SCRIPT}`, (cloud, [name = '']) => {
    if (cloud.filledBuckets.has(name)) throw new ApiRefusal(409, 10008, 'The bucket you tried to delete is not empty');
    if (!cloud.buckets.delete(name)) throw new ApiRefusal(404, 10006, 'no such bucket');
    return {};
  }),
];

/** @throws Refusal for an address that no deploy should need */
export function routeOf(request: ApiRequest): {
  readonly changes: boolean;
  readonly run: (cloud: FakeCloudflare) => unknown;
} {
  for (const { method, path, changes, handle } of ROUTES) {
    const match = method === request.method ? path.exec(request.path) : null;
    if (match !== null) {
      const run = (cloud: FakeCloudflare) => {
        checkPermission(cloud, request);
        return handle(cloud, match.slice(1), request);
      };
      return { changes: changes && !isQuestion(request), run };
    }
  }
  throw new ApiRefusal(404, 7003, `no route for ${request.method} ${request.path}`);
}

/** @throws Refusal for what the token may not do, and for all of R2 where it was never opened */
function checkPermission({ forbidden, lacksR2 }: FakeCloudflare, { path }: ApiRequest): void {
  if (forbidden.some((prefix) => path.startsWith(prefix))) throw new ApiRefusal(403, 10000, 'Authentication error');
  if (lacksR2 && path.startsWith('/r2/')) {
    throw new ApiRefusal(403, 10042, 'Please enable R2 through the Cloudflare Dashboard.');
  }
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

function parse<Schema extends z.ZodType>(schema: Schema, { body, contentType }: ApiRequest): z.output<Schema> {
  if (!/^application\/(?:json|merge-patch\+json)$/.test(contentType)) throw new ApiRefusal(415, 10021, 'not JSON');
  const parsed = schema.safeParse(JSON.parse(body.toString()));
  if (parsed.success) return parsed.data;
  throw new ApiRefusal(400, 10021, z.prettifyError(parsed.error));
}

/** Time passes between two looks: a consumer takes some messages, and whoever sends to the queue adds one. */
function deliver(cloud: FakeCloudflare, queue: CloudQueue): void {
  if (queue.backlog === 0 || queue.consumers.size === 0) return;
  const isFed = cloud.sendersTo(queue.name).length > 0;
  queue.backlog = isFed ? queue.backlog + 1 : Math.max(0, queue.backlog - 2);
}
