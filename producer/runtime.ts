/**
 * What an isolate keeps between requests: the parsed configuration, derived keys, verified tokens,
 * backlogs, finished tasks. Plain data only; a promise shared between requests would break when the
 * request that made it goes away.
 */
import { Authenticator } from '../shared/auth/authenticator.ts';
import { remoteKeySet, secretBytes } from '../shared/auth/token.ts';
import { importMacKey, type MacKey } from '../shared/crypto/mac.ts';
import { MisconfiguredError } from '../shared/env.ts';
import { logError } from '../shared/log.ts';
import { serviceSchema } from '../shared/service/definition.ts';
import { KnownServices } from '../shared/service/known-services.ts';
import { readRevokedTokens } from '../shared/store/revocation.ts';
import type { ShardNews } from './accept/shard.ts';
import { type Config, parseConfig } from './env.ts';
import { EndWatch } from './watch/end-watch.ts';
import { FinishedTasks } from './watch/finished-tasks.ts';

/** What the registry said of a service, by its name. */
export type WaitNews = Map<
  string,
  {
    readonly seconds: number | undefined;
    readonly waiting?: number;
    readonly reason?: 'no-key' | 'server-busy';
    readonly askedAt: number;
  }
>;

/** By owner and name: the store, since when that is known, and whether the group's row is there for sure. */
export type KnownGroups = Map<string, { readonly store: number; readonly at: number; readonly isMade: boolean }>;

export interface Runtime {
  readonly config: Config;
  readonly authenticator: Authenticator;
  readonly finished: FinishedTasks;
  readonly watch: EndWatch;
  readonly services: KnownServices;
  /** By shard: what its queue last said. */
  readonly shardNews: (ShardNews | undefined)[];
  /** A number in [0, 1) of this isolate's own: which of several stores it fills at a time. */
  readonly lane: number;
  readonly waitNews: WaitNews;
  readonly groups: KnownGroups;
  idKey: MacKey | undefined;
  /** With a slash: under which the last request came whose host was looked at. */
  origin: string | undefined;
}

const runtimes = new WeakMap<object, Runtime | MisconfiguredError>();

/** The runtime of this environment, or what is wrong with it; made at the first request. */
export function runtimeOf(env: object): Runtime | MisconfiguredError {
  let runtime = runtimes.get(env);
  if (runtime === undefined) {
    runtime = createRuntime(env);
    runtimes.set(env, runtime);
  }
  return runtime;
}

/** The key that task ids are minted and checked with. */
export function idKeyOf(runtime: Runtime): MacKey | Promise<MacKey> {
  return runtime.idKey ?? importIdKey(runtime);
}

async function importIdKey(runtime: Runtime): Promise<MacKey> {
  const key = await importMacKey(runtime.config.idSecret, runtime.config.previousIdSecret);
  runtime.idKey = key;
  return key;
}

async function readRevoked(db: D1Database, now: number): Promise<readonly string[]> {
  try {
    return await readRevokedTokens(db, now);
  } catch (error) {
    logError('revocations.read.failed', {}, error);
    throw error;
  }
}

function createRuntime(env: object): Runtime | MisconfiguredError {
  try {
    const config = parseConfig({ ...env });
    const schema = serviceSchema(config.allowsPrivateTargets);
    const keys = {
      secrets: config.jwtSecrets.map(secretBytes),
      keySet: config.jwks === undefined ? undefined : remoteKeySet(config.jwks.url),
      issuer: config.jwks?.issuer,
      audience: config.jwks?.audience,
    };
    return {
      config,
      authenticator: new Authenticator(keys, (now) => readRevoked(config.stores.control, now)),
      finished: new FinishedTasks(),
      watch: new EndWatch(),
      services: new KnownServices(config.services, (definition) => schema.safeParse(definition).data),
      shardNews: [],
      lane: Math.random(),
      waitNews: new Map(),
      groups: new Map(),
      idKey: undefined,
      origin: undefined,
    };
  } catch (error) {
    if (error instanceof MisconfiguredError) return error;
    throw error;
  }
}
