/** What a consumer is given, checked. Nothing else in this room reads a variable by name. */
import * as z from 'zod';
import { FlagSchema, MisconfiguredError, numberedBindings, parseEnv } from '../shared/env.ts';
import { poolNameOf } from '../shared/key/name.ts';
import { type KeyShards, KeyShardsSchema } from '../shared/key/shards.ts';
import type { LedgerSession } from '../shared/ledger/contract.ts';
import { logWarning } from '../shared/log.ts';
import type { TaskMessage } from '../shared/message/task-message.ts';
import { type ServiceDefinition, type Services, servicesSchema } from '../shared/service/definition.ts';
import type { Call, EndedCall } from './call.ts';
import { discoverKeys, KeyGroupsSchema, type KeyRing } from './keys/discovery.ts';
import type { KeyPool } from './keys/key-pool.ts';
import { OutlookMemory } from './keys/outlook-memory.ts';
import type { ConfiguredLimits } from './keys/pool.ts';
import { type Redact, redactionOf } from './keys/redaction.ts';

/** The callback Worker's entrypoint `Ledger`. */
export interface LedgerBinding {
  open(): Promise<LedgerSession & Partial<Disposable>>;
}

/** This Worker's own entrypoint `Slice`. */
export interface SliceBinding {
  run(
    calls: readonly Call[],
    report: (ended: EndedCall[]) => Promise<void>,
    cancelledAmong: (ids: string[]) => Promise<string[]>,
  ): Promise<EndedCall[]>;
}

export interface ConsumerEnv {
  readonly shard: string;
  /** Where backends call back to, without a slash at the end. */
  readonly publicUrl: string;
  readonly services: Services;
  readonly ledger: LedgerBinding;
  readonly slice: SliceBinding;
  readonly ownQueue: Queue<TaskMessage>;
  /** A backend Worker behind a service binding. */
  readonly backend: (binding: string) => Fetcher | undefined;
  /** A secret that a service's header names. */
  readonly secret: (name: string) => string | undefined;
  readonly keys: KeyRing;
  /** The value of a key; asked for only where a call is made. */
  readonly keyValue: (pool: string, number: number) => string | undefined;
  /** Takes a call's key and its service's header secrets out of texts. */
  readonly redaction: (call: Pick<Call, 'service' | 'key'>) => Redact;
  readonly keyPool: (pool: string) => DurableObjectStub<KeyPool>;
  /** The strictest of what the services say that use the pool. */
  readonly keyLimits: (pool: string) => ConfiguredLimits;
  /** Shards that hold keys of a pool, as far as the plan says. */
  readonly keyShards: KeyShards;
  /** The queue of another shard; undefined when this consumer may not send there. */
  readonly shardQueue: (shard: number) => Queue<TaskMessage> | undefined;
  /** Shards whose queues are bound here, this one's among them. */
  readonly shardCount: number;
  readonly outlooks: OutlookMemory;
}

interface Bindings {
  readonly LEDGER?: LedgerBinding;
  readonly SELF?: SliceBinding;
  readonly OWN_QUEUE?: Queue<TaskMessage>;
  readonly KEY_POOL?: DurableObjectNamespace<KeyPool>;
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
  KEY_GROUPS: KeyGroupsSchema,
  KEY_SHARDS: KeyShardsSchema,
});

/** The secrets that a service's headers carry: a backend may send them back, and they must not be stored. */
function headerSecrets(service: ServiceDefinition | undefined, bindings: Record<string, unknown>): string[] {
  return Object.values(service?.headers ?? {}).flatMap((header) => {
    const value = typeof header === 'string' ? undefined : bindings[header.secret];
    return typeof value === 'string' ? [value.trim()] : [];
  });
}

const parsedEnvs = new WeakMap<object, ConsumerEnv>();

/** @throws MisconfiguredError */
export function readEnv(env: object): ConsumerEnv {
  const known = parsedEnvs.get(env);
  if (known !== undefined) return known;
  const vars = parseEnv(VarsSchema, env);
  const { SERVICES } = parseEnv(z.object({ SERVICES: servicesSchema(vars.ALLOW_PRIVATE_TARGETS).default({}) }), env);
  const { LEDGER, SELF, OWN_QUEUE, KEY_POOL } = env as Bindings;
  if (LEDGER === undefined || SELF === undefined || OWN_QUEUE === undefined) {
    throw new MisconfiguredError(['the bindings LEDGER, SELF and OWN_QUEUE are needed; deploy with `npm run deploy`']);
  }
  const bindings = env as Record<string, unknown>;
  if (KEY_POOL === undefined && Object.values(SERVICES).some(({ keyPool }) => keyPool !== undefined)) {
    throw new MisconfiguredError(['a service has a keyPool: the Durable Object binding KEY_POOL is needed']);
  }
  const keys = discoverKeys(bindings, vars.KEY_GROUPS);
  for (const problem of keys.problems) logWarning('key.left-out', { shard: vars.SHARD, problem });
  const values = new Map(
    Array.from(keys.pools, ([pool, own]) => [pool, new Map(own.map(({ number, value }) => [number, value]))]),
  );
  const redactions = new Map<string, Redact>();
  const queues = new Map(
    numberedBindings<Queue<TaskMessage>>(env, 'TASK_QUEUE_').map(({ index, binding }) => [index, binding]),
  );
  const parsed: ConsumerEnv = {
    shard: vars.SHARD,
    publicUrl: vars.PUBLIC_URL,
    services: SERVICES,
    ledger: LEDGER,
    slice: SELF,
    ownQueue: OWN_QUEUE,
    backend: (name) => {
      const binding = bindings[name];
      return typeof binding === 'object' && binding !== null && 'fetch' in binding ? (binding as Fetcher) : undefined;
    },
    secret: (name) => {
      const value = bindings[name];
      return typeof value === 'string' ? value : undefined;
    },
    keys,
    keyValue: (pool, number) => values.get(pool)?.get(number),
    redaction: ({ service, key }) => {
      const name = `${service} ${key?.pool} ${key?.number}`;
      const known = redactions.get(name);
      if (known !== undefined) return known;
      const value = key && values.get(key.pool)?.get(key.number);
      const redact = redactionOf([
        ...(value === undefined ? [] : [value]),
        ...headerSecrets(SERVICES[service], bindings),
      ]);
      redactions.set(name, redact);
      return redact;
    },
    keyPool: (pool) => {
      if (KEY_POOL === undefined) throw new Error('no binding KEY_POOL');
      return KEY_POOL.getByName(pool);
    },
    keyLimits: (pool) => strictestLimits(SERVICES, pool),
    keyShards: vars.KEY_SHARDS,
    shardQueue: (shard) => (shard === Number(vars.SHARD) ? undefined : queues.get(shard)),
    shardCount: queues.size,
    outlooks: new OutlookMemory(),
  };
  parsedEnvs.set(env, parsed);
  return parsed;
}

function strictestLimits(services: Services, pool: string): ConfiguredLimits {
  const strictest: { -readonly [Name in keyof ConfiguredLimits]: ConfiguredLimits[Name] } = {};
  for (const { keyPool, keyLimits = {} } of Object.values(services)) {
    if (keyPool === undefined || poolNameOf(keyPool) !== pool) continue;
    for (const name of ['requestsPerMinute', 'tokensPerMinute', 'concurrency'] as const) {
      const limit = keyLimits[name];
      if (limit !== undefined) strictest[name] = Math.min(limit, strictest[name] ?? limit);
    }
  }
  return strictest;
}
