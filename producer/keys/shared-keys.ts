/**
 * Keys of a pool that hold the same value as another key, on whichever shards: found by what the consumers say of the keys
 * that they were given, because values stay where they are. The plan of a deploy and `npm start` see the values and say
 * the same words; this finds what was set past them. A shard that does not answer is passed over.
 */
import { inOrder, keyNameOf, poolNameOf } from '../../shared/key/name.ts';
import { sharedKeyText } from '../../shared/key/review.ts';
import type { KeyRpc } from '../../shared/key/rpc.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

/** Below the 32 Worker invocations that a request may cause, with room for the registry. */
const MAX_ASKED = 24;

/** @param shards where keys of the pool are: these are asked first */
export async function sharedKeys(
  keyPool: string,
  consumers: readonly { readonly shard: number; readonly rpc: Pick<KeyRpc, 'fingerprints'> }[],
  shards: readonly number[] = [],
): Promise<string[]> {
  const own = consumers.filter(({ shard }) => shards.includes(shard));
  const others = consumers.filter(({ shard }) => !shards.includes(shard));
  const answers = await Promise.all(
    [...own, ...others].slice(0, MAX_ASKED).map(({ rpc }) => callUpstream('consumer', () => rpc.fingerprints())),
  );
  const keys = answers.flatMap((answer) => (answer === UNAVAILABLE ? [] : answer));
  return [...Map.groupBy(keys, ({ fingerprint }) => fingerprint).values()]
    .filter((same) => same.some(({ pool }) => pool === poolNameOf(keyPool)))
    .map((same) => [...new Set(same.map(({ variable }) => variable))].sort(byName))
    .filter((variables) => variables.length > 1)
    .map(sharedKeyText);
}

function byName(one: string, other: string): number {
  const [a, b] = [keyNameOf(one), keyNameOf(other)];
  return a === undefined || b === undefined ? 0 : inOrder(a, b);
}
