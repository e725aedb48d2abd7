/**
 * One pool's keys on one shard: the only place that decides which call may use which key, and when.
 * Lives in memory; what must not be forgotten is written before an answer leaves. It knows numbers
 * and fingerprints of keys, never values, and answers two calls a batch: a lease and a return.
 */
import { DurableObject } from 'cloudflare:workers';
import type { KeyAction } from '../../../shared/key/door.ts';
import { changeKey } from './change.ts';
import { type GiveBackAnswer, type GiveBackRequest, giveBack } from './give-back.ts';
import { type LeaseAnswer, type LeaseRequest, lease } from './lease.ts';
import { recall, remember, rememberUse, USE_ID } from './memory.ts';
import { emptyPool, type Pool, type RosterEntry, setRoster } from './pool.ts';
import { KeyPoolStorage } from './storage.ts';
import { type PooledKeyView, viewOf } from './view.ts';

/** How late what may be late is written. */
const USE_WRITTEN_AFTER_MS = 5_000;

export class KeyPool extends DurableObject<object> {
  readonly #storage: KeyPoolStorage;
  readonly #pool: Pool = emptyPool();
  #isAlarmSet = false;

  constructor(context: DurableObjectState, env: object) {
    super(context, env);
    this.#storage = new KeyPoolStorage(context.storage.sql);
    recall(this.#pool, this.#storage.read());
  }

  lease(request: LeaseRequest): LeaseAnswer {
    return this.#decide((now) => lease(this.#pool, request, now));
  }

  async giveBack(request: GiveBackRequest): Promise<GiveBackAnswer> {
    const answer = this.#decide((now) => giveBack(this.#pool, request, now));
    if (!this.#isAlarmSet) {
      this.#isAlarmSet = true;
      await this.ctx.storage.setAlarm(Date.now() + USE_WRITTEN_AFTER_MS);
    }
    return answer;
  }

  describe(roster: readonly RosterEntry[]): PooledKeyView[] {
    setRoster(this.#pool, roster);
    return viewOf(this.#pool, Date.now());
  }

  /** @returns the key afterwards, or undefined when there is no such key */
  change(roster: readonly RosterEntry[], number: number, action: KeyAction): PooledKeyView | undefined {
    return this.#decide((now) => {
      setRoster(this.#pool, roster);
      changeKey(this.#pool, number, action, now);
      this.#storage.writeOne(rememberUse(this.#pool));
      return viewOf(this.#pool, now).find((view) => view.number === number);
    });
  }

  override alarm(): void {
    this.#isAlarmSet = false;
    this.#storage.writeOne(rememberUse(this.#pool));
  }

  /** The runtime holds the answer back until what was written is safe. */
  #decide<Value>(decide: (now: number) => Value): Value {
    const now = Date.now();
    const value = decide(now);
    this.#storage.write(remember(this.#pool, now), USE_ID);
    return value;
  }
}
