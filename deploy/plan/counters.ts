/**
 * Ids of what rate-limit bindings count in. They are an account's, not a Worker's: two deployments with the same id count
 * together (developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit), so that whoever floods a preview would
 * use up what production's clients may do. The first deployment has those of `wrangler.toml`, a preview its own. Pure.
 */
import type { WorkerConfig } from './wrangler-file.ts';

/** Above what a person writes down, and below what any integer holds. */
const FIRST = 1_000_000_000;
const COUNT = 1_000_000_000;

export function withOwnCounters(worker: WorkerConfig, deployment: string): WorkerConfig {
  const ratelimits = worker.ratelimits.map((limit) => ({
    ...limit,
    namespace_id: String(FIRST + (fingerprint(`${deployment} ${limit.namespace_id}`) % COUNT)),
  }));
  return { ...worker, ratelimits };
}

/** FNV-1a, 32 bits. */
function fingerprint(text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return hash >>> 0;
}
