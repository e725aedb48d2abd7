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
): Promise<OutlookAnswer | undefined> {
  const { outlooks, shardCount } = env.keys;
  const wanted = new Map<string, number>();
  for (const service of services) {
    const pool = poolOf(env, service);
    if (pool !== undefined) wanted.set(pool, (wanted.get(pool) ?? 0) + 1);
  }
  if (shardCount < 2 || wanted.size === 0) return undefined;
  const recent = outlooks.recent(wanted, Date.now());
  if (recent !== undefined) return recent;
  try {
    const answer = await ledger.exchangeOutlooks(outlooks.take(Number(env.shard)));
    outlooks.hear(answer, Date.now());
    return answer;
  } catch {
    // Tasks wait here, then.
    return undefined;
  }
}
