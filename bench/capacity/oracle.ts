/**
 * What nobody can beat: a caller that knows every limit, and when each of them lets a call in. A bound that
 * this one misses says something of the provider, or of batches that run one at a time, and nothing of the limiter.
 * Deterministic.
 */
import { ProviderKey, randomFrom } from './provider.ts';
import type { Scenario } from './simulation.ts';

export interface Best {
  readonly ms: number;
  /** Calls by key. */
  readonly uses: readonly number[];
}

/** What is left of a wait by rounding would be waited for without end. */
const MIN_WAIT_MS = 1;

/**
 * @param batch so many calls run in one batch, and the next one begins when the last of them has ended
 * @returns undefined where more than the limits of the keys decides: odd keys or tasks, several buckets
 */
export function bestOf(scenario: Scenario, seed: number, batch = Infinity): Best | undefined {
  const { limits, keys, latencyMs, tasks, keyAnswer, shared } = scenario;
  const isPlain = tasks.every(({ arrivesAt, bucket, answer }) => arrivesAt === 0 && !bucket && !answer);
  if (!isPlain || keyAnswer !== undefined || limits.kind === 'none') return undefined;
  const random = randomFrom(seed);
  const places = (shared ? [1] : keys).flatMap((count) =>
    Array.from({ length: count }, () => ({
      provider: new ProviderKey(limits, random),
      at: 0,
      uses: 0,
      ends: [] as number[],
    })),
  );
  let last = 0;
  let begunAt = 0;
  for (let done = 0; done < tasks.length; ) {
    const [first] = places.sort((a, b) => a.at - b.at || a.uses - b.uses);
    if (first === undefined) return undefined;
    const now = Math.max(first.at, begunAt);
    for (let end = first.ends[0]; end !== undefined && end <= now; [end] = first.ends) {
      first.provider.end();
      first.ends.shift();
    }
    const waitMs = first.provider.take(now);
    if (waitMs > 0) {
      first.at = Math.min(now + Math.max(MIN_WAIT_MS, waitMs), first.ends[0] ?? Infinity);
      continue;
    }
    done += 1;
    first.at = now;
    first.uses += 1;
    const endsAt = now + latencyMs * (0.7 + 0.6 * random());
    first.ends.push(endsAt);
    first.ends.sort((a, b) => a - b);
    last = Math.max(last, endsAt);
    if (done % batch === 0) begunAt = last;
  }
  return { ms: last, uses: places.map(({ uses }) => uses) };
}
