/**
 * Which shard holds which API keys: eight of a pool on each, in the order of their numbers, so that a
 * key keeps its shard when others are added. Pure: names in, names out; values are not seen here.
 */
import { keyNameOf } from '../shared/key/name.ts';

const KEYS_PER_SHARD = 8;

export interface KeyPlan {
  readonly shards: number;
  /** Variables (`KEY1`, `KEY_GEMINI_2`) by shard. */
  readonly variables: readonly (readonly string[])[];
  /** By pool, the shards that hold keys of it: what the Workers are told as `KEY_SHARDS`. */
  readonly shardsOfPool: Readonly<Record<string, readonly number[]>>;
}

/**
 * @param variables names of variables; those that are no keys are left aside
 * @param shards how many there are to be; by default as many as the largest pool needs, at least one.
 *   With a number the keys are spread over that many: all on one in a preview.
 */
export function planKeys(variables: readonly string[], shards?: number): KeyPlan {
  const pools = new Map<string, { variable: string; number: number }[]>();
  for (const variable of variables) {
    const name = keyNameOf(variable);
    if (name === undefined) continue;
    pools.set(name.pool, [...(pools.get(name.pool) ?? []), { variable, number: name.number }]);
  }
  const largest = Math.max(0, ...[...pools.values()].map((keys) => keys.length));
  const count = shards ?? Math.max(1, Math.ceil(largest / KEYS_PER_SHARD));

  const assigned: string[][] = Array.from({ length: count }, () => []);
  const shardsOfPool: Record<string, number[]> = {};
  for (const [pool, keys] of pools) {
    const perShard = shards === undefined ? KEYS_PER_SHARD : Math.ceil(keys.length / count);
    keys.sort((a, b) => a.number - b.number);
    shardsOfPool[pool] = [];
    for (let at = 0; at < keys.length; at += perShard) {
      const shard = at / perShard;
      assigned[shard]?.push(...keys.slice(at, at + perShard).map(({ variable }) => variable));
      shardsOfPool[pool].push(shard);
    }
  }
  return { shards: count, variables: assigned, shardsOfPool };
}
