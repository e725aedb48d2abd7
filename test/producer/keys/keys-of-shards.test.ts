import { env } from 'cloudflare:workers';
import parsePrometheus from 'parse-prometheus-text-format';
import { beforeEach, describe, expect, it } from 'vitest';
import { readKeysOfShards } from '../../../producer/keys/keys-of-shards.ts';
import type { KeyRpc, KeyView } from '../../../shared/key/rpc.ts';
import { storesIn } from '../../../shared/store/stores.ts';
import { ask, catchFailureLog, environment, tokenFor } from '../client.ts';

catchFailureLog();

const SHARDS = 100;
const NOW = Date.UTC(2026, 10, 20);
/** Of Workers that one request may call (developers.cloudflare.com/workers/platform/limits). */
const MAX_INVOCATIONS = 32;

const VIEW: KeyView = {
  pool: 'default',
  key: '1',
  number: 1,
  fingerprint: '0a1b2c3d',
  state: 'ready',
  inFlight: 0,
  calls: 0,
  rateLimited: 0,
  lastUsedAt: undefined,
  limits: [],
};

/** Consumers, some of which are away; `asked` counts the calls since it was last set to 0. */
class Shards {
  asked = 0;
  readonly away = new Set<number>();

  readonly list = Array.from({ length: SHARDS }, (_, shard) => ({ shard, rpc: this.#consumer(shard) }));

  #consumer(shard: number): KeyRpc {
    const refuse = () => Promise.reject(new Error('nobody asks that here'));
    return {
      describe: async () => {
        this.asked += 1;
        // The consumer, and its pool.
        if (this.asked * 2 > MAX_INVOCATIONS) throw new Error('Too many Worker invocations.');
        if (this.away.has(shard)) throw new Error('gone');
        return [{ ...VIEW, number: shard }];
      },
      change: refuse,
      fingerprints: refuse,
      redactReport: refuse,
      redactBody: refuse,
    };
  }
}

async function look(shards: Shards, now: number) {
  shards.asked = 0;
  return readKeysOfShards({ config: { consumers: shards.list, stores: storesIn(environment()) } } as never, now);
}

beforeEach(() => env.DB.prepare('DELETE FROM key_reports').run());

describe('the keys of a hundred shards', () => {
  it('are looked at in turns, those first that were asked longest ago, and say how old they are', async () => {
    const shards = new Shards();
    const first = await look(shards, NOW);
    expect(first.filter(({ keys }) => keys !== undefined)).toHaveLength(12);
    let seen = first;
    for (let round = 1; round <= 8; round++) seen = await look(shards, NOW + round * 15_000);
    expect(seen.every(({ keys, isAway }) => keys?.length === 1 && !isAway)).toBe(true);
    expect(Math.min(...seen.map(({ at = 0 }) => at))).toBe(NOW);
    const next = await look(shards, NOW + 9 * 15_000);
    expect(Math.min(...next.map(({ at = 0 }) => at))).toBeGreaterThan(NOW);
  });

  it('cost nothing more while many look', async () => {
    const shards = new Shards();
    await look(shards, NOW);
    await look(shards, NOW + 1_000);
    expect(shards.asked).toBe(0);
  });

  it('are as they last were where a shard is away, which takes no turn from the others', async () => {
    const shards = new Shards();
    for (let round = 0; round < 9; round++) await look(shards, NOW + round * 15_000);
    for (let shard = 0; shard < 20; shard++) shards.away.add(shard);
    let seen = await look(shards, NOW + 200_000);
    for (let round = 1; round <= 9; round++) seen = await look(shards, NOW + 200_000 + round * 15_000);
    expect(seen.filter(({ isAway }) => isAway).map(({ shard }) => shard)).toEqual(
      Array.from({ length: 20 }, (_, at) => at),
    );
    expect(seen[3]).toMatchObject({ keys: [{ number: 3 }], isAway: true });
    expect(Math.min(...seen.slice(20).map(({ at = 0 }) => at))).toBeGreaterThan(NOW + 200_000 - 15_000);
  });

  it('are in `/metrics` with their age, which stays below the limit of a request', async () => {
    const shards = new Shards();
    const bindings = Object.fromEntries(shards.list.map(({ shard, rpc }) => [`CONSUMER_${shard}`, rpc]));
    const answer = await ask(environment(bindings), '/metrics', { token: await tokenFor('eve', 'viewer') });
    expect(answer.status).toBe(200);
    const families = new Map(parsePrometheus(await answer.text()).map((family) => [family.name, family.metrics]));
    expect(families.get('tasklane_key_age_seconds')).toHaveLength(12);
    expect(families.get('tasklane_key_state')).toHaveLength(12);
    const up = families.get('tasklane_up')?.filter(({ labels }) => labels?.part === 'consumer');
    // Of those that nobody has asked yet nothing is said.
    expect(up?.map(({ value }) => value)).toEqual(Array.from({ length: 12 }, () => '1'));
  });
});
