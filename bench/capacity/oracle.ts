/**
 * What nobody can beat: a caller that knows every limit, and when each of them lets a call in. A bound that
 * this one misses says something of the provider, and nothing of the limiter. Deterministic.
 */
import { ProviderKey, randomFrom } from './provider.ts';
import type { Scenario } from './simulation.ts';

export interface Best {
  readonly ms: number;
  /** Calls by key. */
  readonly uses: readonly number[];
}

/** @returns undefined where more than the limits of the keys decides: odd keys or tasks, several buckets */
export function bestOf({ limits, keys, latencyMs, tasks, keyAnswer }: Scenario, seed: number): Best | undefined {
  const isPlain = tasks.every(({ arrivesAt, bucket, answer }) => arrivesAt === 0 && !bucket && !answer);
  if (!isPlain || keyAnswer !== undefined || limits.kind === 'none') return undefined;
  const random = randomFrom(seed);
  const places = keys.flatMap((count) =>
    Array.from({ length: count }, () => ({
      provider: new ProviderKey(limits, random),
      at: 0,
      uses: 0,
      ends: [] as number[],
    })),
  );
  let last = 0;
  for (let left = tasks.length; left > 0; ) {
    const [first] = places.sort((a, b) => a.at - b.at || a.uses - b.uses);
    if (first === undefined) return undefined;
    const now = first.at;
    for (let end = first.ends[0]; end !== undefined && end <= now; [end] = first.ends) {
      first.provider.end();
      first.ends.shift();
    }
    const waitMs = first.provider.take(now);
    if (waitMs > 0) {
      first.at = Math.min(now + waitMs, first.ends[0] ?? Infinity);
      continue;
    }
    left -= 1;
    first.uses += 1;
    first.ends.push(now + latencyMs);
    last = Math.max(last, now + latencyMs);
  }
  return { ms: last, uses: places.map(({ uses }) => uses) };
}
