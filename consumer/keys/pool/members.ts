/** A pool's keys as its Durable Object may know them: numbers, fingerprints, groups. */
import { fingerprintOf, type KeyRing } from '../secrets/discovery.ts';
import type { Member } from './pool.ts';

/** Fingerprints are hashes: computed once for each ring. Plain data, not promises, is kept between requests. */
const known = new WeakMap<KeyRing, Map<string, readonly Member[]>>();

export async function membersOf(ring: KeyRing, pool: string): Promise<readonly Member[]> {
  const byPool = known.get(ring) ?? new Map<string, readonly Member[]>();
  known.set(ring, byPool);
  const members = byPool.get(pool) ?? (await readMembers(ring, pool));
  byPool.set(pool, members);
  return members;
}

function readMembers(ring: KeyRing, pool: string): Promise<Member[]> {
  const groups = ring.groups.get(pool);
  return Promise.all(
    Array.from(ring.pools.get(pool) ?? [], async ([number, value]) => {
      const group = groups?.get(number);
      return { number, fingerprint: await fingerprintOf(value), ...(group !== undefined && { group }) };
    }),
  );
}
