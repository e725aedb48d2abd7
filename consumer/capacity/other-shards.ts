/** How the pools that a batch wants keys of stand on other shards, as far as that can matter to it. */
import type { LedgerSession, OutlookAnswer } from '../../shared/ledger/contract.ts';
import type { ConsumerEnv } from '../env.ts';
import { poolOf } from './pool-of.ts';

/**
 * @param services of the batch's tasks, one each
 * @returns undefined where there is nowhere else to wait, or nobody to say so
 */
export async function askOtherShards(
  env: Pick<ConsumerEnv, 'shard' | 'keys' | 'services'>,
  services: readonly string[],
  ledger: Pick<LedgerSession, 'exchangeOutlooks'>,
): Promise<OutlookAnswer['elsewhere'] | undefined> {
  const { outlooks, shardCount } = env.keys;
  const wanted = new Map<string, number>();
  for (const service of services) {
    const pool = poolOf(env, service);
    if (pool !== undefined) wanted.set(pool, (wanted.get(pool) ?? 0) + 1);
  }
  if (shardCount < 2 || wanted.size === 0) return undefined;
  const recent = outlooks.recent(wanted, Date.now());
  if (recent !== undefined) return recent;
  return exchange(env, ledger);
}

/** After tasks had to wait: others are not to choose by what was true before, and expect who was sent to them. */
export async function tellOtherShards(
  env: Pick<ConsumerEnv, 'shard' | 'keys'>,
  ledger: Pick<LedgerSession, 'exchangeOutlooks'>,
): Promise<void> {
  await exchange(env, ledger);
}

async function exchange(
  { shard, keys: { outlooks } }: Pick<ConsumerEnv, 'shard' | 'keys'>,
  ledger: Pick<LedgerSession, 'exchangeOutlooks'>,
): Promise<OutlookAnswer['elsewhere'] | undefined> {
  try {
    const answer = await ledger.exchangeOutlooks(outlooks.take(Number(shard)));
    outlooks.hear(answer, Date.now());
    return answer.elsewhere;
  } catch {
    // Tasks wait here, then.
    return undefined;
  }
}
