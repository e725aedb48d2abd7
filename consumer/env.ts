/** What a consumer is given, checked. Nothing else in this room reads a variable by name. */
import * as z from 'zod';
import { FlagSchema, MisconfiguredError, parseEnv, SecretSchema } from '../shared/env.ts';
import type { LedgerSession } from '../shared/ledger/contract.ts';
import type { LineHost } from '../shared/ledger/line.ts';
import type { TaskMessage } from '../shared/message/task-message.ts';
import { type OtlpEndpoint, OtlpEndpointSchema, OtlpHeadersSchema, otlpEndpoint } from '../shared/otlp/endpoint.ts';
import type { RegistryRpc } from '../shared/registry/rpc.ts';
import { type ServiceDefinition, serviceSchema, servicesSchema } from '../shared/service/definition.ts';
import { KnownServices } from '../shared/service/known-services.ts';
import { joinServices } from '../shared/service/variables.ts';
import type { Call } from './call/call.ts';
import type { CallEnv } from './call/call-env.ts';
import { refusesConnections } from './call/request/connection-check.ts';
import type { CapacityEnv } from './capacity/capacity-env.ts';
import { LastKnownServers } from './capacity/last-known.ts';
import { LongCalls } from './capacity/long-calls.ts';
import { readConsumerKeys } from './keys/secrets/consumer-keys.ts';
import { secretsInHeader } from './keys/secrets/notation.ts';
import { Redactor } from './keys/secrets/redaction.ts';

/** The callback Worker's entrypoint `Ledger`. */
export interface LedgerBinding extends LineHost {
  open(): Promise<LedgerSession & Partial<Disposable>>;
}

/** All of it: each room declares which of it its functions need, and takes no more. */
export interface ConsumerEnv extends CapacityEnv, CallEnv {
  readonly ledger: LedgerBinding;
  /** This shard is being removed: nothing that it takes from its queue goes back there. */
  readonly draining: boolean;
  /** Where spans of attempts go; undefined: nowhere. */
  readonly otlp: OtlpEndpoint | undefined;
}

interface Bindings {
  readonly BODIES?: R2Bucket;
  readonly LEDGER?: LedgerBinding;
  readonly REGISTRY?: RegistryRpc;
  readonly OWN_QUEUE?: Queue<TaskMessage>;
  readonly OUTBOUND?: Fetcher;
}

const VarsSchema = z.object({
  SHARD: z.string().default('0'),
  PUBLIC_URL: z
    .url({
      protocol: /^https?$/,
      error: "is the producer's public address, such as https://tasks.example.com; backends call back to it",
    })
    .transform((url) => url.replace(/\/+$/, '')),
  ALLOW_PRIVATE_TARGETS: FlagSchema,
  WEBHOOK_SECRET: SecretSchema,
  WEBHOOK_SECRET_PREVIOUS: SecretSchema.optional(),
  OTLP_ENDPOINT: OtlpEndpointSchema,
  OTLP_HEADERS: OtlpHeadersSchema,
  DRAINING: FlagSchema,
  /** The platform lets six connections of a request wait for headers; the local runtime, any number. */
  CONNECTIONS: z.coerce
    .number({ error: 'is a number of connections' })
    .int({ error: 'is a whole number' })
    .min(1, { error: 'is at least 1' })
    .max(100, { error: 'is at most 100, the largest batch' })
    .default(6),
  /** What the calls of one service may hold of a shard while others wait. */
  SERVICE_SHARE: z.coerce
    .number({ error: 'is a share between 0.1 and 1' })
    .min(0.1, { error: 'is at least 0.1' })
    .max(1, { error: 'is at most 1: nothing is kept for others' })
    .default(0.6),
  /** Batches of this shard's queue that run at once; what `max_concurrency` says, written in by the deploy. */
  INVOCATIONS: z.coerce.number().int().min(1).max(250).default(250),
});

/** Undefined where there is nothing to share: one invocation at a time, as in the local run, or all of them. */
function mostInvocationsOf(invocations: number, share: number): number | undefined {
  return share === 1 || invocations === 1 ? undefined : Math.max(1, Math.floor(invocations * share));
}

/** The secrets that a service's headers carry: a backend may send them back, and they must not be stored. */
function headerSecrets({ headers }: ServiceDefinition, bindings: Record<string, unknown>): string[] {
  return Object.values(headers).flatMap((header) => {
    const value = typeof header === 'string' ? undefined : bindings[header.secret];
    return typeof value === 'string' ? secretsInHeader(value.trim()) : [];
  });
}

/** One redactor for a definition and a key: preparing one costs as much as a call. */
class RedactorMemory {
  readonly #secretsOf: (service: ServiceDefinition | undefined, key: Call['key']) => string[];
  readonly #known = new WeakMap<object, Map<string, Redactor>>();
  readonly #unknownService = {};

  constructor(secretsOf: (service: ServiceDefinition | undefined, key: Call['key']) => string[]) {
    this.#secretsOf = secretsOf;
  }

  of(service: ServiceDefinition | undefined, key: Call['key']): Redactor {
    const owner = service ?? this.#unknownService;
    const ofService = this.#known.get(owner) ?? new Map<string, Redactor>();
    this.#known.set(owner, ofService);
    const name = key === undefined ? '' : `${key.pool}/${key.number}`;
    const redactor = ofService.get(name) ?? new Redactor(this.#secretsOf(service, key));
    ofService.set(name, redactor);
    return redactor;
  }
}

const parsedEnvs = new WeakMap<object, ConsumerEnv>();

/** @throws MisconfiguredError */
export function readEnv(env: object): ConsumerEnv {
  const earlier = parsedEnvs.get(env);
  if (earlier !== undefined) return earlier;
  const vars = parseEnv(VarsSchema, env);
  const { SERVICES } = parseEnv(z.object({ SERVICES: servicesSchema(vars.ALLOW_PRIVATE_TARGETS).prefault({}) }), {
    SERVICES: joinServices(env),
  });
  const { LEDGER, REGISTRY, OWN_QUEUE, OUTBOUND, BODIES } = env as Bindings;
  if (LEDGER === undefined || REGISTRY === undefined || OWN_QUEUE === undefined) {
    throw new MisconfiguredError([
      'the bindings LEDGER, REGISTRY and OWN_QUEUE are needed; deploy with `npm run deploy`',
    ]);
  }
  const bindings = env as Record<string, unknown>;
  const schema = serviceSchema(vars.ALLOW_PRIVATE_TARGETS);
  const known = new KnownServices(SERVICES, (definition) => schema.safeParse(definition).data);
  const keys = readConsumerKeys(env, vars.SHARD, known);
  const redactors = new RedactorMemory((service, key) => {
    const value = key && keys.value(key.pool, key.number);
    return [
      ...(value === undefined ? [] : [value]),
      ...(service === undefined ? [] : headerSecrets(service, bindings)),
    ];
  });
  const parsed: ConsumerEnv = {
    shard: vars.SHARD,
    publicUrl: vars.PUBLIC_URL,
    get services() {
      return known.all;
    },
    known,
    servers: new LastKnownServers(),
    ledger: LEDGER,
    registry: REGISTRY,
    connections: vars.CONNECTIONS,
    bodies: BODIES,
    serviceShare: vars.SERVICE_SHARE,
    mostInvocations: mostInvocationsOf(vars.INVOCATIONS, vars.SERVICE_SHARE),
    longCalls: new LongCalls(),
    outbound: OUTBOUND === undefined ? (url, init) => fetch(url, init) : (url, init) => OUTBOUND.fetch(url, init),
    refusesConnections: OUTBOUND === undefined ? async () => false : (url) => refusesConnections(OUTBOUND, url),
    ownQueue: OWN_QUEUE,
    draining: vars.DRAINING,
    backend: (name) => {
      const binding = bindings[name];
      return typeof binding === 'object' && binding !== null && 'fetch' in binding ? (binding as Fetcher) : undefined;
    },
    secret: (name) => {
      const value = bindings[name];
      return typeof value === 'string' ? value : undefined;
    },
    keys,
    otlp: otlpEndpoint(vars.OTLP_ENDPOINT, vars.OTLP_HEADERS),
    webhookSecrets: [vars.WEBHOOK_SECRET, vars.WEBHOOK_SECRET_PREVIOUS].filter((secret) => secret !== undefined),
    redactor: ({ service, key, definition = known.find(service) }) => redactors.of(definition, key),
  };
  parsedEnvs.set(env, parsed);
  return parsed;
}
