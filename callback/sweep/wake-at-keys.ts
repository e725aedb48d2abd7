/** Wakes tasks where their keys are: on another shard each is deferred once more, and goes on to one that has some. */
import { shardsForPool } from '../../shared/key/shards.ts';
import { logWarning } from '../../shared/log.ts';
import { withinMs } from '../../shared/time-limit.ts';
import type { CallbackEnv } from '../env.ts';
import { askRegistry } from '../registry/asking.ts';
import { sendWakes, type Wake } from '../wake.ts';

type KeysEnv = Pick<CallbackEnv, 'taskQueues' | 'keyShards' | 'serverRegistry'>;

const PATIENCE_MS = 2_000;

export async function wakeAtKeys(env: KeysEnv, wakes: readonly Wake[]): Promise<void> {
  const pools = await poolsOf(env, wakes);
  const byShards = Map.groupBy(wakes, ({ service }) => shardsForPool(env.keyShards, pools.get(service)));
  for (const [shards, those] of byShards) await sendWakes(env.taskQueues, those, shards);
}

/** Of services that need keys, while some shard has none of some pool; nothing while the registry does not answer. */
async function poolsOf(env: KeysEnv, wakes: readonly Wake[]): Promise<ReadonlyMap<string, string | undefined>> {
  const areEverywhere = Object.values(env.keyShards).every((shards) => shards.length === env.taskQueues.length);
  if (wakes.length === 0 || areEverywhere) return new Map();
  const services = [...new Set(wakes.map(({ service }) => service))];
  try {
    const asked = askRegistry(env.serverRegistry, (registry) => registry.getServiceRates(services));
    const rates = await withinMs(asked, PATIENCE_MS, 'the registry');
    return new Map(rates.map(({ service, pool }) => [service, pool]));
  } catch (error) {
    logWarning('sweep.pools_unread', { services: services.length, cause: String(error) });
    return new Map();
  }
}
