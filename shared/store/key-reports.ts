/**
 * What shards last said of their API keys, in the control database: with many shards not all are asked at once.
 * Numbers and fingerprints; a key's value never leaves its shard.
 */
import type { KeyView } from '../key/rpc.ts';

export interface KeyReport {
  readonly shard: number;
  /** Unix ms. */
  readonly askedAt: number;
  /** When it last answered, Unix ms; 0: never. */
  readonly toldAt: number;
  readonly keys: readonly KeyView[] | undefined;
}

/** Shards are at most so many (`wrangler.toml`). */
const MAX_SHARDS = 1_000;

export async function readKeyReports(control: D1Database): Promise<KeyReport[]> {
  const { results } = await control
    .prepare('SELECT shard, asked_at, told_at, keys FROM key_reports ORDER BY shard LIMIT ?1')
    .bind(MAX_SHARDS)
    .all<{ shard: number; asked_at: number; told_at: number; keys: string | null }>();
  return results.map(({ shard, asked_at, told_at, keys }) => ({
    shard,
    askedAt: asked_at,
    toldAt: told_at,
    keys: keys === null ? undefined : (JSON.parse(keys) as KeyView[]),
  }));
}

/** One that did not answer keeps what it said before; what is older than what is kept changes nothing. */
export async function keepKeyReports(control: D1Database, reports: readonly KeyReport[]): Promise<void> {
  await control
    .prepare(
      `INSERT INTO key_reports (shard, asked_at, told_at, keys)
       SELECT value->>'shard', value->>'askedAt', value->>'toldAt', value->'keys' FROM json_each(?1) WHERE true
       ON CONFLICT (shard) DO UPDATE SET asked_at = excluded.asked_at,
         told_at = max(key_reports.told_at, excluded.told_at), keys = coalesce(excluded.keys, key_reports.keys)
       WHERE key_reports.asked_at < excluded.asked_at`,
    )
    .bind(JSON.stringify(reports))
    .run();
}
