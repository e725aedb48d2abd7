/** What a consumer is given, checked. Nothing else in this room reads a variable by name. */
import * as z from 'zod';
import { FlagSchema, MisconfiguredError, parseEnv } from '../shared/env.ts';
import type { LedgerSession } from '../shared/ledger/contract.ts';
import type { TaskMessage } from '../shared/message/task-message.ts';
import { type Services, servicesSchema } from '../shared/service/definition.ts';
import type { Call, EndedCall } from './call.ts';
import { type KeyCase, readKeyCase } from './keys/key-case.ts';

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
  readonly keys: KeyCase;
}

interface Bindings {
  readonly LEDGER?: LedgerBinding;
  readonly SELF?: SliceBinding;
  readonly OWN_QUEUE?: Queue<TaskMessage>;
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
});

const parsedEnvs = new WeakMap<object, ConsumerEnv>();

/** @throws MisconfiguredError */
export function readEnv(env: object): ConsumerEnv {
  const known = parsedEnvs.get(env);
  if (known !== undefined) return known;
  const vars = parseEnv(VarsSchema, env);
  const { SERVICES } = parseEnv(z.object({ SERVICES: servicesSchema(vars.ALLOW_PRIVATE_TARGETS).default({}) }), env);
  const { LEDGER, SELF, OWN_QUEUE } = env as Bindings;
  if (LEDGER === undefined || SELF === undefined || OWN_QUEUE === undefined) {
    throw new MisconfiguredError(['the bindings LEDGER, SELF and OWN_QUEUE are needed; deploy with `npm run deploy`']);
  }
  const bindings = env as Record<string, unknown>;
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
    keys: readKeyCase(env, vars.SHARD, SERVICES),
  };
  parsedEnvs.set(env, parsed);
  return parsed;
}
