/**
 * The API keys of all shards, for whoever watches. A request may cause 32 invocations of Workers
 * (developers.cloudflare.com/workers/platform/limits), and each consumer that is asked may ask its key pools: with
 * many shards those that were asked longest ago are asked, and the others are as they last said. What is told says how
 * old it is.
 */
import type { KeyView } from '../../shared/key/rpc.ts';
import { type KeyReport, keepKeyReports, readKeyReports } from '../../shared/store/key-reports.ts';
import type { Runtime } from '../runtime.ts';
import { callUpstream, UNAVAILABLE } from '../upstream/upstream.ts';

export interface ShardKeys {
  readonly shard: number;
  /** Undefined: it has never said. */
  readonly keys: readonly KeyView[] | undefined;
  /** Of when they are, Unix ms. */
  readonly at: number | undefined;
  /** It did not answer when it was last asked. */
  readonly isAway: boolean;
}

/** Beside the registry and the callback Worker, each consumer and its pool counted. */
const ASKED_AT_ONCE = 12;

/** Many look at the same time; what shards say is kept in rows, which are written no more often. */
const LOOK_AGAIN_MS = 5_000;

type Asked = Pick<Runtime['config'], 'consumers' | 'stores'>;

export async function readKeysOfShards({ config }: { readonly config: Asked }, now: number): Promise<ShardKeys[]> {
  const { consumers, stores } = config;
  if (consumers.length <= ASKED_AT_ONCE) return (await askAll(consumers, now)).map(shardKeys);
  const kept = await callUpstream('database', () => readKeyReports(stores.control));
  const known = new Map(kept === UNAVAILABLE ? [] : kept.map((report) => [report.shard, report]));
  const reports = consumers.map(({ shard }) => known.get(shard) ?? { shard, askedAt: 0, toldAt: 0, keys: undefined });
  const lookedAt = Math.max(0, ...reports.map(({ askedAt }) => askedAt));
  if (now - lookedAt < LOOK_AGAIN_MS) return reports.map(shardKeys);
  const turn = new Set(
    reports
      .toSorted((one, other) => one.askedAt - other.askedAt)
      .slice(0, ASKED_AT_ONCE)
      .map(({ shard }) => shard),
  );
  const told = await askAll(
    consumers.filter(({ shard }) => turn.has(shard)),
    now,
  );
  await callUpstream('database', () => keepKeyReports(stores.control, told));
  const news = new Map(told.map((report) => [report.shard, report]));
  return reports.map((report) => shardKeys(later(report, news.get(report.shard))));
}

function askAll(consumers: Asked['consumers'], now: number): Promise<KeyReport[]> {
  return Promise.all(
    consumers.map(async ({ shard, rpc }) => {
      const views = await callUpstream('consumer', () => rpc.describe());
      return views === UNAVAILABLE
        ? { shard, askedAt: now, toldAt: 0, keys: undefined }
        : { shard, askedAt: now, toldAt: now, keys: views };
    }),
  );
}

/** Of a shard that did not answer, what it said before. */
function later(before: KeyReport, asked: KeyReport | undefined): KeyReport {
  if (asked === undefined) return before;
  return asked.keys === undefined ? { ...before, askedAt: asked.askedAt } : asked;
}

function shardKeys({ shard, askedAt, toldAt, keys }: KeyReport): ShardKeys {
  return { shard, keys, at: keys === undefined ? undefined : toldAt, isAway: askedAt > toldAt };
}
