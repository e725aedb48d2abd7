/**
 * How much room a pool has and how soon more, in a few numbers that shards tell each other, and the
 * choice of another shard for a task that would wait too long here. Pure.
 */
import type { ShardOutlook } from '../../../shared/ledger/contract.ts';
import { gateOf, isLoose } from './gate.ts';
import { metLimit } from './learning.ts';
import { placeAt } from './place.ts';
import { keysOf, type Pool } from './pool.ts';

export type Outlook = Omit<ShardOutlook, 'shard'>;

/** A task is not sent across for less. */
const MIN_GAIN_MS = 3_000;

export function outlookOf(pool: Pool, now: number): Outlook {
  let room = 0;
  let freeAt: number | null = null;
  let perSecond = 0;
  const seen = new Set<string>();
  for (const { key, quota } of keysOf(pool)) {
    if (key.standing.is !== 'enabled' || seen.has(quota.id)) continue;
    seen.add(quota.id);
    const gate = gateOf(pool, quota, now);
    // Room beside a line is for who comes here: to the others a quota is free when its line has been served.
    const hasLine = (quota.promised.at(-1)?.at ?? 0) > now + MIN_GAIN_MS;
    if (!isLoose(pool, quota, gate, now)) {
      const at = placeAt(pool, quota, hasLine ? gate : { ...gate, nextAt: gate.thenAt }, false, now);
      if (freeAt === null || at < freeAt) freeAt = at;
    }
    if (!hasLine) room += Math.floor(Math.max(0, Math.min(gate.room, key.concurrency - key.inFlight)));
    perSecond += 1_000 / Math.max(1, gate.spacingMs);
  }
  return { room, freeAt, perSecond, bears: metLimit(pool, now) };
}

/** It does not know yet when it has room: more is known in a moment. */
export function isLooseThere({ room, freeAt, perSecond }: Outlook): boolean {
  return room === 0 && freeAt === null && perSecond > 0;
}

/**
 * The shard that has room soonest, if that is well before `hereAt`: its line is the shorter one by the
 * time that both take to be served. The choice stands in line there, so that the next one finds it longer.
 * @param elsewhere changed in place
 */
export function bestElsewhere(
  elsewhere: ShardOutlook[],
  hereAt: number | undefined,
  now: number,
): { readonly shard: number; readonly at: number } | undefined {
  let best: { index: number; at: number } | undefined;
  for (const [index, { room, freeAt, perSecond }] of elsewhere.entries()) {
    if (room === 0 && (freeAt === null || perSecond <= 0)) continue;
    const at = room > 0 ? now : Math.max(freeAt ?? now, now);
    if (best === undefined || at < best.at) best = { index, at };
  }
  const chosen = best && elsewhere[best.index];
  if (best === undefined || chosen === undefined) return undefined;
  if (hereAt !== undefined && hereAt - best.at < MIN_GAIN_MS) return undefined;
  elsewhere[best.index] =
    chosen.room > 0 ? { ...chosen, room: chosen.room - 1 } : { ...chosen, freeAt: best.at + 1_000 / chosen.perSecond };
  return { shard: chosen.shard, at: best.at };
}
