import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CallbackEnv } from '../../../callback/env.ts';
import { wakeAtKeys } from '../../../callback/sweep/wake-at-keys.ts';

const SERVICES = ['keyed', 'keyed', 'keyed', 'plain'];

/** The shards to which each service's tasks went, over many rounds. */
async function shardsOf(keyShards: CallbackEnv['keyShards'], getServiceRates: () => Promise<unknown>) {
  const seen = new Map<string, Set<number>>();
  const queueOf = (shard: number) => ({
    sendBatch: async (messages: { body: { service: string } }[]) => {
      for (const { body } of messages) seen.set(body.service, (seen.get(body.service) ?? new Set()).add(shard));
    },
  });
  const taskQueues = [0, 1, 2, 3].map((shard) => ({ shard, queue: queueOf(shard) }));
  const serverRegistry = { getByName: () => ({ getServiceRates }) };
  const env = { taskQueues, keyShards, serverRegistry } as unknown as CallbackEnv;
  const wakes = SERVICES.map((service, index) => ({ id: `tsk_${index}`, service, delayMs: 0 }));
  for (let round = 0; round < 100; round++) await wakeAtKeys(env, wakes);
  return Object.fromEntries([...seen].map(([service, shards]) => [service, [...shards].sort()]));
}

afterEach(() => vi.restoreAllMocks());

describe('what the sweeper wakes', () => {
  it('goes to the shards that have keys of its pool, and to any where it needs none', async () => {
    const rates = async () => [{ service: 'keyed', pool: 'default' }, { service: 'plain' }];
    expect(await shardsOf({ default: [1, 3] }, rates)).toEqual({ keyed: [1, 3], plain: [0, 1, 2, 3] });
  });

  it('goes to any while the registry does not answer, which is not asked where keys are on all shards', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const rates = vi.fn(async () => Promise.reject(new Error('away')));
    expect(await shardsOf({ default: [1, 3] }, rates)).toMatchObject({ keyed: [0, 1, 2, 3] });
    expect(rates).toHaveBeenCalled();
    rates.mockClear();
    expect(await shardsOf({ default: [0, 1, 2, 3] }, rates)).toMatchObject({ keyed: [0, 1, 2, 3] });
    expect(rates).not.toHaveBeenCalled();
  });
});
