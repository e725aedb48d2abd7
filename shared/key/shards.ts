/**
 * The variable `KEY_SHARDS`: by pool, the shards that hold keys of it, as the plan has put them there.
 * With it a task goes where its keys are; without it, it finds its way.
 */
import * as z from 'zod';
import { byName } from '../by-name.ts';
import type { Services } from '../service/definition.ts';
import { poolNameOf } from './name.ts';

export type KeyShards = Readonly<Record<string, readonly number[]>>;

export const KeyShardsSchema = z
  .record(z.string(), z.array(z.number().int().min(0)), { error: 'is an object such as { "default": [0, 1] }' })
  .transform((shards) => byName(shards))
  .prefault({});

/** The shards that hold keys for a service; undefined when it needs none, or nothing is known. */
export function shardsForService(
  services: Services,
  keyShards: KeyShards,
  service: string,
): readonly number[] | undefined {
  return shardsForPool(keyShards, Object.hasOwn(services, service) ? services[service]?.keyPool : undefined);
}

/** The shards that hold keys of a service's pool; undefined when it has none, or nothing is known. */
export function shardsForPool(keyShards: KeyShards, pool: string | undefined): readonly number[] | undefined {
  const shards = pool === undefined ? undefined : keyShards[poolNameOf(pool)];
  return shards === undefined || shards.length === 0 ? undefined : shards;
}
