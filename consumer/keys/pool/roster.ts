/** A pool's keys as its Durable Object may know them: numbers, fingerprints, groups. */
import { fingerprintOf, type KeyRing } from '../secrets/discovery.ts';
import type { RosterEntry } from './pool.ts';

/** Fingerprints are hashes: computed once for each ring. Plain data, not promises, is kept between requests. */
const known = new WeakMap<KeyRing, Map<string, readonly RosterEntry[]>>();

export async function rosterOf(ring: KeyRing, pool: string): Promise<readonly RosterEntry[]> {
  const rosters = known.get(ring) ?? new Map<string, readonly RosterEntry[]>();
  known.set(ring, rosters);
  const roster = rosters.get(pool) ?? (await readRoster(ring, pool));
  rosters.set(pool, roster);
  return roster;
}

function readRoster(ring: KeyRing, pool: string): Promise<RosterEntry[]> {
  const groups = ring.groups.get(pool);
  return Promise.all(
    (ring.pools.get(pool) ?? []).map(async ({ number, value }) => {
      const group = groups?.get(number);
      return { number, fingerprint: await fingerprintOf(value), ...(group !== undefined && { group }) };
    }),
  );
}
