/**
 * One pool's keys on one shard: the only place that decides which call may use which key, and when.
 * Lives in memory; what must not be forgotten is written before an answer leaves. It knows numbers
 * and fingerprints of keys, never values, and answers two calls a batch: a lease and a return.
 */
import { DurableObject } from 'cloudflare:workers';
import type { KeyAction } from '../../shared/key/door.ts';
import { changeKey } from './change.ts';
import { type GiveBackAnswer, type GiveBackRequest, giveBack } from './give-back.ts';
import { type LeaseAnswer, type LeaseRequest, lease } from './lease.ts';
import { recall, remember } from './memory.ts';
import { emptyPool, type Pool, type RosterEntry, setRoster } from './pool.ts';
import { KeyPoolStorage } from './storage.ts';
import { type PooledKeyView, viewOf } from './view.ts';

export class KeyPool extends DurableObject<object> {
  readonly #storage: KeyPoolStorage;
  readonly #pool: Pool = emptyPool();

  constructor(context: DurableObjectState, env: object) {
    super(context, env);
    this.#storage = new KeyPoolStorage(context.storage.sql);
    recall(this.#pool, this.#storage.read());
  }

  lease(request: LeaseRequest): LeaseAnswer {
    return this.#answer((now) => lease(this.#pool, request, now));
  }

  giveBack(request: GiveBackRequest): GiveBackAnswer {
    return this.#answer((now) => giveBack(this.#pool, request, now));
  }

  describe(roster: readonly RosterEntry[]): PooledKeyView[] {
    setRoster(this.#pool, roster);
    return viewOf(this.#pool, Date.now());
  }

  /** @returns the key afterwards, or undefined when there is no such key */
  change(roster: readonly RosterEntry[], number: number, action: KeyAction): PooledKeyView | undefined {
    return this.#answer((now) => {
      setRoster(this.#pool, roster);
      changeKey(this.#pool, number, action, now);
      return viewOf(this.#pool, now).find((view) => view.number === number);
    });
  }

  /** The runtime holds the answer back until what was written is safe. */
  #answer<Value>(decide: (now: number) => Value): Value {
    const now = Date.now();
    const value = decide(now);
    this.#storage.write(remember(this.#pool, now));
    return value;
  }
}
