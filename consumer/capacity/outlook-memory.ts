/**
 * What this consumer last knew of its pools' outlooks and of other shards', and whom it has sent
 * elsewhere since it last said so. Plain data in the isolate's memory: losing it costs a detour, never
 * a task.
 */
import type { OutlookAnswer, OutlookExchange } from '../../shared/ledger/contract.ts';
import type { Outlook } from '../keys/pool/outlook.ts';

/** Where pools have plenty of room, the others are asked no more often than this. */
const HEARD_HOLDS_MS = 1_000;

/** Other batches take from the same room. */
const PLENTY = 4;

export class OutlookMemory {
  readonly #pools = new Map<string, Outlook>();
  #sent: OutlookExchange['sent'] = [];
  /** Pools that the others were told of at least once. */
  readonly #told = new Set<string>();
  #heard: { readonly elsewhere: OutlookAnswer['elsewhere']; readonly at: number } | undefined;
  /** Tasks on their way here that no pool knows of yet, by pool. */
  readonly #incoming = new Map<string, number>();

  note(pool: string, outlook: Outlook): void {
    this.#pools.set(pool, outlook);
  }

  noteSent(pool: string, shard: number): void {
    const known = this.#sent.find((each) => each.pool === pool && each.shard === shard);
    if (known !== undefined) known.tasks += 1;
    else this.#sent.push({ pool, shard, tasks: 1 });
  }

  /**
   * What was heard of other shards a moment ago, where nothing can depend on more than that: no task of
   * these is likely to wait. Undefined: the others are to be asked.
   * @param tasks how many want a key, by pool
   */
  recent(tasks: ReadonlyMap<string, number>, now: number): OutlookAnswer['elsewhere'] | undefined {
    if (this.#heard === undefined || this.#heard.at <= now - HEARD_HOLDS_MS || this.#sent.length > 0) return undefined;
    for (const [pool, count] of tasks) {
      if (!this.#told.has(pool) || (this.#pools.get(pool)?.room ?? 0) < PLENTY * count) return undefined;
    }
    return this.#heard.elsewhere;
  }

  hear({ elsewhere, incoming }: OutlookAnswer, now: number): void {
    this.#heard = { elsewhere, at: now };
    for (const [pool, tasks] of Object.entries(incoming)) this.noteIncoming(pool, tasks);
  }

  /** Tasks on their way here, for the pool that is to keep places for them: they are told once. */
  takeIncoming(pool: string): number {
    const tasks = this.#incoming.get(pool) ?? 0;
    this.#incoming.delete(pool);
    return tasks;
  }

  noteIncoming(pool: string, tasks: number): void {
    this.#incoming.set(pool, (this.#incoming.get(pool) ?? 0) + tasks);
  }

  /** What there is to say now; what was sent is said once. */
  take(shard: number): OutlookExchange {
    const sent = this.#sent;
    this.#sent = [];
    for (const pool of this.#pools.keys()) this.#told.add(pool);
    return { shard, pools: Object.fromEntries(this.#pools), sent };
  }
}
