/**
 * What this consumer last knew of its pools' outlooks, and whom it has sent elsewhere since it last
 * said so. Plain data in the isolate's memory: losing it costs a detour, never a task.
 */
import type { OutlookExchange } from '../../shared/ledger/contract.ts';
import type { Outlook } from './outlook.ts';

export class OutlookMemory {
  readonly #pools = new Map<string, Outlook>();
  #sent: OutlookExchange['sent'] = [];

  note(pool: string, outlook: Outlook): void {
    this.#pools.set(pool, outlook);
  }

  noteSent(pool: string, shard: number): void {
    const known = this.#sent.find((each) => each.pool === pool && each.shard === shard);
    if (known !== undefined) known.tasks += 1;
    else this.#sent.push({ pool, shard, tasks: 1 });
  }

  /** What there is to say now; what was sent is said once. */
  take(shard: number): OutlookExchange {
    const sent = this.#sent;
    this.#sent = [];
    return { shard, pools: Object.fromEntries(this.#pools), sent };
  }
}
