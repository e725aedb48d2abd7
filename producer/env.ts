/**
 * The producer's environment, parsed once per isolate. What is missing or wrong is named with its
 * fix and never with its value; a Worker that lacks a secret serves nothing but `/healthz`.
 */
import * as z from 'zod';
import { FlagSchema, MisconfiguredError, numberedBindings, parseEnv, SecretSchema } from '../shared/env.ts';
import type { KeyRpc } from '../shared/key/rpc.ts';
import { type KeyShards, KeyShardsSchema } from '../shared/key/shards.ts';
import type { CallbackRpc } from '../shared/ledger/rpc.ts';
import type { TaskMessage } from '../shared/message/task-message.ts';
import { type OtlpEndpoint, OtlpEndpointSchema, OtlpHeadersSchema, otlpEndpoint } from '../shared/otlp/endpoint.ts';
import type { RegistryRpc } from '../shared/registry/rpc.ts';
import { type Services, servicesSchema } from '../shared/service/definition.ts';
import { joinServices } from '../shared/service/variables.ts';
import { DrainingStoresSchema, StoreLimitSchema, type Stores, storesIn } from '../shared/store/stores.ts';
import type { WebhookSecrets } from '../shared/webhook/signature.ts';

/** What accept needs of a queue. */
export type TaskQueue = Pick<Queue<TaskMessage>, 'send' | 'sendBatch' | 'metrics'>;

export interface Config {
  readonly stores: Stores;
  /** What one store may hold. */
  readonly storeLimitBytes: number;
  /** These get no new tasks: they are to be removed. */
  readonly drainingStores: ReadonlySet<number>;
  /** Bodies that are too large for messages and rows; undefined where the deployment has no bucket. */
  readonly bodies: R2Bucket | undefined;
  readonly queues: readonly TaskQueue[];
  readonly callback: CallbackRpc;
  readonly registry: RegistryRpc;
  /** The consumers' RPC to their keys. */
  readonly consumers: readonly { readonly shard: number; readonly rpc: KeyRpc }[];
  /** The consumers' entrypoints for synchronous calls. */
  readonly syncConsumers: readonly { readonly shard: number; readonly entrypoint: Fetcher }[];
  /** By pool of API keys, the shards that hold some; a pool that is not named may be anywhere. */
  readonly keyShards: KeyShards;
  /** Pools that have keys; undefined when the deployment does not say. */
  readonly keyPools: ReadonlySet<string> | undefined;
  /** Counts wrong tokens by who sends them; undefined where it is not bound. */
  readonly wrongTokens: RateLimit | undefined;
  /** Count requests by token and by address before anything is known of them; undefined where they are not bound. */
  readonly requestsByToken: RateLimit | undefined;
  readonly requestsByAddress: RateLimit | undefined;
  /** Origins whose pages may read answers. */
  readonly corsOrigins: ReadonlySet<string>;
  /** Where metrics, and spans of callbacks, are pushed; undefined: nowhere. */
  readonly otlp: OtlpEndpoint | undefined;
  readonly jwtSecrets: readonly string[];
  readonly jwks:
    | { readonly url: string; readonly issuer: string | undefined; readonly audience: string | undefined }
    | undefined;
  readonly idSecret: string;
  readonly previousIdSecret: string | undefined;
  /** What receivers of messages verify with is derived from these. */
  readonly webhookSecrets: WebhookSecrets;
  readonly recordsAtAccept: boolean;
  /** How long an idempotency key is kept. */
  readonly idempotencyMs: number;
  /** Those of wrangler.toml; what was put at run time is known to `Runtime.services`. */
  readonly services: Services;
  readonly allowsPrivateTargets: boolean;
  /** Without a trailing slash; the request's own origin when undefined. */
  readonly publicUrl: string | undefined;
}

const QUEUE_PREFIX = 'TASK_QUEUE_';
const CONSUMER_PREFIX = 'CONSUMER_';
const SYNC_PREFIX = 'SYNC_';

function binding<Binding>(kind: string) {
  return z.custom<Binding>((value) => value !== undefined && value !== null, {
    error: `is missing; bind ${kind} of this name in wrangler.toml`,
  });
}

/** Variables that are set to nothing count as absent. */
function optional<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((value) => (value === '' ? undefined : value), schema.optional());
}

const webAddress = z.url({ protocol: /^https?$/, error: 'is not a web address; write https://…' });

/** Exact origins, separated by commas: what a browser sends as `Origin`. */
const CorsOriginsSchema = z
  .string({ error: 'is a list of origins, separated by commas' })
  .default('')
  .transform(
    (text) =>
      new Set(
        text
          .split(',')
          .map((origin) => origin.trim())
          .filter((origin) => origin !== ''),
      ),
  )
  .refine((origins) => !origins.has('*'), {
    error: 'names origins, such as https://app.example.com; `*` would open the API to every page',
    abort: true,
  })
  .refine((origins) => [...origins].every((origin) => URL.parse(origin)?.origin === origin), {
    error: 'is a list of origins as browsers send them: https://app.example.com, without a path or a slash at the end',
  });

/** A week: well below the shortest retention of a task's row, by which a repeat is recognised. */
const MAX_IDEMPOTENCY_HOURS = 168;

const EnvSchema = z.object({
  CALLBACK: binding<CallbackRpc>('the service tasklane-callback, entrypoint CallbackRpc,'),
  REGISTRY: binding<RegistryRpc>('the service tasklane-callback, entrypoint RegistryRpc,'),
  JWT_SECRET: optional(SecretSchema),
  JWT_SECRET_PREVIOUS: optional(SecretSchema),
  JWKS_URL: optional(webAddress),
  JWT_ISSUER: optional(z.string()),
  JWT_AUDIENCE: optional(z.string()),
  ID_SECRET: SecretSchema,
  ID_SECRET_PREVIOUS: optional(SecretSchema),
  WEBHOOK_SECRET: SecretSchema,
  WEBHOOK_SECRET_PREVIOUS: optional(SecretSchema),
  WRONG_TOKENS: z.custom<RateLimit>().optional(),
  REQUESTS_BY_TOKEN: z.custom<RateLimit>().optional(),
  REQUESTS_BY_ADDRESS: z.custom<RateLimit>().optional(),
  CORS_ORIGINS: CorsOriginsSchema,
  BODIES: z.custom<R2Bucket>().optional(),
  OTLP_ENDPOINT: OtlpEndpointSchema,
  OTLP_HEADERS: OtlpHeadersSchema,
  ACCEPT: z.enum(['queue', 'queue+record'], { error: 'is `queue` or `queue+record`' }).default('queue'),
  IDEMPOTENCY_HOURS: z.coerce
    .number({ error: 'is a number of hours' })
    .positive({ error: 'is more than 0' })
    .max(MAX_IDEMPOTENCY_HOURS, { error: `is at most ${MAX_IDEMPOTENCY_HOURS}, because a task outlives its key` })
    .default(24),
  PUBLIC_URL: optional(webAddress),
  ALLOW_PRIVATE_TARGETS: FlagSchema,
  KEY_SHARDS: KeyShardsSchema,
  STORE_LIMIT_BYTES: StoreLimitSchema,
  STORES_DRAINING: DrainingStoresSchema,
});

/** @throws MisconfiguredError naming every variable that is wrong */
export function parseConfig(raw: Readonly<Record<string, unknown>>): Config {
  const allowPrivate = raw.ALLOW_PRIVATE_TARGETS === 'true';
  const faults = crossFaults(raw, allowPrivate);
  const env = collect(faults, () => parseEnv(EnvSchema, raw));
  const ServicesSchema = z.object({ SERVICES: servicesSchema(allowPrivate).prefault({}) });
  const services = collect(faults, () => parseEnv(ServicesSchema, { SERVICES: joinServices(raw) }).SERVICES);
  const stores = collect(faults, () => storesIn(raw));
  const queues = numberedBindings<TaskQueue>(raw, QUEUE_PREFIX).map(({ binding: queue }) => queue);
  if (queues.length === 0) faults.push(`${QUEUE_PREFIX}0: is missing; bind at least one queue`);
  if (env === undefined || services === undefined || stores === undefined || faults.length > 0)
    throw new MisconfiguredError(faults);
  return {
    stores,
    storeLimitBytes: env.STORE_LIMIT_BYTES,
    drainingStores: env.STORES_DRAINING,
    bodies: env.BODIES,
    queues,
    callback: env.CALLBACK,
    registry: env.REGISTRY,
    consumers: numberedBindings<KeyRpc>(raw, CONSUMER_PREFIX).map(({ index, binding: rpc }) => ({
      shard: index,
      rpc,
    })),
    syncConsumers: numberedBindings<Fetcher>(raw, SYNC_PREFIX).map(({ index, binding: entrypoint }) => ({
      shard: index,
      entrypoint,
    })),
    keyShards: env.KEY_SHARDS,
    keyPools: raw.KEY_SHARDS === undefined ? undefined : new Set(Object.keys(env.KEY_SHARDS)),
    wrongTokens: env.WRONG_TOKENS,
    requestsByToken: env.REQUESTS_BY_TOKEN,
    requestsByAddress: env.REQUESTS_BY_ADDRESS,
    corsOrigins: env.CORS_ORIGINS,
    otlp: otlpEndpoint(env.OTLP_ENDPOINT, env.OTLP_HEADERS),
    jwtSecrets: [env.JWT_SECRET, env.JWT_SECRET_PREVIOUS].filter((secret) => secret !== undefined),
    jwks:
      env.JWKS_URL === undefined
        ? undefined
        : { url: env.JWKS_URL, issuer: env.JWT_ISSUER, audience: env.JWT_AUDIENCE },
    idSecret: env.ID_SECRET,
    previousIdSecret: env.ID_SECRET_PREVIOUS,
    webhookSecrets: [env.WEBHOOK_SECRET, env.WEBHOOK_SECRET_PREVIOUS].filter((secret) => secret !== undefined),
    recordsAtAccept: env.ACCEPT === 'queue+record',
    idempotencyMs: env.IDEMPOTENCY_HOURS * 3600_000,
    services,
    allowsPrivateTargets: allowPrivate,
    publicUrl: env.PUBLIC_URL?.replace(/\/+$/, ''),
  };
}

/** What no variable can say alone. */
function crossFaults(raw: Readonly<Record<string, unknown>>, allowPrivate: boolean): string[] {
  const faults: string[] = [];
  if (!raw.JWT_SECRET && !raw.JWKS_URL) {
    faults.push('JWT_SECRET: is missing; set a random secret of at least 32 bytes, or JWKS_URL');
  }
  if (String(raw.JWKS_URL).startsWith('http:') && !allowPrivate) {
    faults.push('JWKS_URL: must be https outside the local run');
  }
  return faults;
}

function collect<Value>(faults: string[], parse: () => Value): Value | undefined {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof MisconfiguredError)) throw error;
    faults.push(...error.problems);
    return undefined;
  }
}
