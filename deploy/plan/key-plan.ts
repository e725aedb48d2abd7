/**
 * Which shard holds which API keys: eight of a pool on each, in the order of their numbers. A key that
 * already has a place keeps it, and others take the places that are free, so that adding a key, in
 * whatever gap of the numbering, moves no other. Pure: names in, names out; values are not seen here.
 */
import { type KeyName, keyNameOf } from '../../shared/key/name.ts';

const KEYS_PER_SHARD = 8;

export interface KeyPlan {
  readonly shards: number;
  /** Variables (`KEY1`, `KEY_GEMINI_2`) by shard. */
  readonly variables: readonly (readonly string[])[];
  /** By pool, the shards that hold keys of it: what the Workers are told as `KEY_SHARDS`. */
  readonly shardsOfPool: Readonly<Record<string, readonly number[]>>;
}

/** Where keys are already: shard by variable. */
export type KeyPlacement = ReadonlyMap<string, number>;

interface PoolKey extends KeyName {
  readonly variable: string;
}

/**
 * @param variables names of variables; those that are no keys are left aside
 * @param shards how many there are to be; by default as many as the keys need, at least one.
 *   With a number the keys are spread over that many: all on one in a preview.
 * @param placement ignored when the number of shards is given
 */
export function planKeys(variables: readonly string[], shards?: number, placement: KeyPlacement = new Map()): KeyPlan {
  const keys = variables.flatMap((variable): PoolKey[] => {
    const name = keyNameOf(variable);
    return name === undefined ? [] : [{ ...name, variable }];
  });
  const pools = Map.groupBy(
    keys.sort((a, b) => a.number - b.number),
    ({ pool }) => pool,
  );
  const shardOf = new Map<string, number>();
  for (const own of pools.values()) {
    const placed = shards === undefined ? placeBeside(own, placement) : spread(own, shards);
    for (const [variable, shard] of placed) shardOf.set(variable, shard);
  }
  const count = shards ?? Math.max(0, ...shardOf.values()) + 1;
  return {
    shards: count,
    variables: Array.from({ length: count }, (_, shard) =>
      keys.filter(({ variable }) => shardOf.get(variable) === shard).map(({ variable }) => variable),
    ),
    shardsOfPool: Object.fromEntries(
      Array.from(pools, ([pool, own]) => [
        pool,
        [...new Set(own.flatMap(({ variable }) => shardOf.get(variable) ?? []))].sort((a, b) => a - b),
      ]),
    ),
  };
}

/** The keys of one pool, in the order of their numbers: where they are, else where there is room. */
function placeBeside(keys: readonly PoolKey[], placement: KeyPlacement): Map<string, number> {
  const placed = new Map<string, number>();
  const taken: number[] = [];
  const put = (variable: string, shard: number) => {
    placed.set(variable, shard);
    taken[shard] = (taken[shard] ?? 0) + 1;
  };
  for (const { variable } of keys) {
    const shard = placement.get(variable);
    if (shard !== undefined) put(variable, shard);
  }
  let free = 0;
  for (const { variable } of keys) {
    if (placed.has(variable)) continue;
    while ((taken[free] ?? 0) >= KEYS_PER_SHARD) free++;
    put(variable, free);
  }
  return placed;
}

/** The keys of one pool in equal runs over a given number of shards. */
function spread(keys: readonly PoolKey[], shards: number): Map<string, number> {
  const perShard = Math.ceil(keys.length / shards);
  return new Map(keys.map(({ variable }, index) => [variable, Math.floor(index / perShard)]));
}
