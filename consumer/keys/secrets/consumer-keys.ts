/**
 * All that a consumer has for its keys, read from its environment once: the keys themselves, the pools
 * that lend them, and the ways to other shards. The one place that hands out a key's value, to the
 * invocation that is about to make the call.
 */
import * as z from 'zod';
import { MisconfiguredError, numberedBindings, parseEnv } from '../../../shared/env.ts';
import { poolNameOf } from '../../../shared/key/name.ts';
import { type KeyShards, KeyShardsSchema } from '../../../shared/key/shards.ts';
import { logWarning } from '../../../shared/log.ts';
import type { TaskMessage } from '../../../shared/message/task-message.ts';
import type { Services } from '../../../shared/service/definition.ts';
import type { KnownServices } from '../../../shared/service/known-services.ts';
import type { KeyPool } from '../pool/key-pool.ts';
import { type ConfiguredLimits, LIMIT_NAMES } from '../pool/pool.ts';
import { discoverKeys, KeyGroupsSchema, type KeyRing } from './discovery.ts';

export interface ConsumerKeys {
  readonly ring: KeyRing;
  /** The value of a key; asked for only where a call is made. */
  readonly value: (pool: string, number: number) => string | undefined;
  readonly pool: (name: string) => DurableObjectStub<KeyPool>;
  /** The strictest of what the services say that use the pool. */
  readonly limits: (pool: string) => ConfiguredLimits;
  /** Shards that hold keys of a pool, as far as the plan says. */
  readonly shards: KeyShards;
  /** The queue of another shard; undefined when this consumer may not send there. */
  readonly shardQueue: (shard: number) => Queue<TaskMessage> | undefined;
}

const VarsSchema = z.object({ KEY_GROUPS: KeyGroupsSchema, KEY_SHARDS: KeyShardsSchema });

/** @throws MisconfiguredError */
export function readConsumerKeys(env: object, shard: string, services: Pick<KnownServices, 'all'>): ConsumerKeys {
  const { KEY_GROUPS, KEY_SHARDS } = parseEnv(VarsSchema, env);
  const { KEY_POOL } = env as { readonly KEY_POOL?: DurableObjectNamespace<KeyPool> };
  if (KEY_POOL === undefined && Object.values(services.all).some(({ keyPool }) => keyPool !== undefined)) {
    throw new MisconfiguredError([
      'KEY_POOL: is missing; a service has a keyPool, and this Durable Object lends its keys',
    ]);
  }
  const ring = discoverKeys(env as Readonly<Record<string, unknown>>, KEY_GROUPS);
  for (const problem of ring.problems) logWarning('key.left-out', { shard, problem });
  const queues = new Map(
    numberedBindings<Queue<TaskMessage>>(env, 'TASK_QUEUE_').map(({ index, binding }) => [index, binding]),
  );
  return {
    ring,
    value: (pool, number) => ring.pools.get(pool)?.get(number),
    pool: (name) => {
      if (KEY_POOL === undefined) throw new Error('no binding KEY_POOL');
      return KEY_POOL.getByName(name);
    },
    limits: (pool) => strictestLimits(services.all, pool),
    shards: KEY_SHARDS,
    shardQueue: (other) => (other === Number(shard) ? undefined : queues.get(other)),
  };
}

function strictestLimits(services: Services, pool: string): ConfiguredLimits {
  const strictest: { -readonly [Name in keyof ConfiguredLimits]: ConfiguredLimits[Name] } = {};
  for (const { keyPool, keyLimits = {} } of Object.values(services)) {
    if (keyPool === undefined || poolNameOf(keyPool) !== pool) continue;
    for (const name of LIMIT_NAMES) {
      const limit = keyLimits[name];
      if (limit !== undefined) strictest[name] = Math.min(limit, strictest[name] ?? limit);
    }
  }
  return strictest;
}
