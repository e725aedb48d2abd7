/**
 * Where consumers read how each other's key pools stand. A hint in memory, not a record: another
 * isolate may know other things, and what is old is forgotten. Clock handed in.
 */
import type { OutlookAnswer, OutlookExchange, ShardOutlook } from '../shared/ledger/contract.ts';

/** A shard that has not been heard of for longer may be gone. */
const FORGOTTEN_AFTER_MS = 10 * 60_000;

interface Entry {
  readonly outlook: ShardOutlook;
  readonly heardAt: number;
  /** Sent there by others, and not yet known to it. */
  readonly incoming: number;
}

export class OutlookBoard {
  /** By pool, then by shard. */
  readonly #pools = new Map<string, Map<number, Entry>>();

  exchange({ shard, pools, sent }: OutlookExchange, now: number): OutlookAnswer {
    for (const { shard: target, pool, tasks } of sent) this.#noteSent(pool, target, tasks, now);
    const elsewhere: Record<string, ShardOutlook[]> = {};
    const incoming: Record<string, number> = {};
    for (const [pool, outlook] of Object.entries(pools)) {
      const shards = this.#pools.get(pool) ?? new Map<number, Entry>();
      this.#pools.set(pool, shards);
      incoming[pool] = shards.get(shard)?.incoming ?? 0;
      shards.set(shard, { outlook: { ...outlook, shard }, heardAt: now, incoming: 0 });
    }
    // Pools that the asking shard has no key of are told too: its tasks go where keys are.
    for (const [pool, shards] of this.#pools) {
      elsewhere[pool] = [...shards.values()]
        .filter(({ outlook, heardAt }) => outlook.shard !== shard && heardAt > now - FORGOTTEN_AFTER_MS)
        .map(({ outlook }) => outlook);
    }
    return { elsewhere, incoming };
  }

  /** Until the shard says how it stands, what was sent there is taken as standing in its line. */
  #noteSent(pool: string, shard: number, tasks: number, now: number): void {
    const shards = this.#pools.get(pool);
    const entry = shards?.get(shard);
    if (shards === undefined || entry === undefined) return;
    const { room, freeAt, perSecond } = entry.outlook;
    const inLine = Math.max(0, tasks - room);
    const isLater = inLine > 0 && freeAt !== null && perSecond > 0;
    const outlook = {
      ...entry.outlook,
      room: Math.max(0, room - tasks),
      freeAt: isLater ? Math.max(freeAt, now) + (inLine * 1000) / perSecond : freeAt,
    };
    shards.set(shard, { ...entry, outlook, incoming: entry.incoming + tasks });
  }
}
