/**
 * A shard's queue as the platform runs it, on a virtual clock: messages in the order in which they become visible, so
 * many invocations of the consumer at once with so many messages each.
 */
import { runBatch } from '../../consumer/batch.ts';
import type { ConsumerEnv } from '../../consumer/env.ts';
import type { TaskMessage } from '../../shared/message/task-message.ts';
import type { BatchPlatform } from '../capacity/simulation.ts';

export interface Platform {
  /** Batches that run at once. */
  readonly invocations: number;
  readonly batch: number;
  /** Calls over the network that one batch may have under way. */
  readonly connections: number;
  /** From a message's sending to its batch. */
  readonly deliveryMs: number;
  /** An RPC with what its callee does. */
  readonly rpcMs: number;
}

export const PLATFORMS: Readonly<Record<BatchPlatform, Platform>> = {
  // Queues limits ("Concurrent consumer invocations"), Workers limits ("Simultaneous open connections"), `wrangler.toml`.
  deployed: { invocations: 250, batch: 10, connections: 6, deliveryMs: 100, rpcMs: 20 },
  // workerd hands over one batch a queue at a time, and lets any number of connections wait.
  local: { invocations: 1, batch: 100, connections: 100, deliveryMs: 5, rpcMs: 3 },
};

interface Letter {
  readonly body: TaskMessage;
  readonly visibleAt: number;
}

export class ShardQueue {
  /** Invocations that have not ended. */
  active = 0;
  readonly #platform: Platform;
  readonly #env: ConsumerEnv;
  /** In the order in which they become visible; those before `#head` are delivered. */
  readonly #letters: Letter[] = [];
  #head = 0;
  #deliversAt = Infinity;

  constructor(platform: Platform, env: ConsumerEnv) {
    this.#platform = platform;
    this.#env = env;
  }

  send(body: TaskMessage, delaySeconds = 0): void {
    if (delaySeconds > 0) {
      // What is delayed lies elsewhere until then.
      setTimeout(() => this.send(body), delaySeconds * 1000);
      return;
    }
    const letter = { body, visibleAt: Date.now() + this.#platform.deliveryMs };
    const letters = this.#letters;
    let index = letters.length;
    while (index > this.#head && (letters[index - 1]?.visibleAt ?? 0) > letter.visibleAt) index -= 1;
    letters.splice(index, 0, letter);
    this.#deliverAt(letter.visibleAt);
  }

  #deliverAt(at: number): void {
    if (at >= this.#deliversAt) return;
    this.#deliversAt = at;
    setTimeout(
      () => {
        if (this.#deliversAt === at) this.#deliversAt = Infinity;
        this.#deliver();
      },
      Math.max(0, at - Date.now()),
    );
  }

  #deliver(): void {
    while (this.active < this.#platform.invocations) {
      const taken: TaskMessage[] = [];
      for (
        let next = this.#letters[this.#head];
        taken.length < this.#platform.batch;
        next = this.#letters[this.#head]
      ) {
        if (next === undefined || next.visibleAt > Date.now()) break;
        taken.push(next.body);
        this.#head += 1;
      }
      if (taken.length === 0) break;
      void this.#invoke(taken);
    }
    const next = this.#letters[this.#head];
    if (next !== undefined && this.active < this.#platform.invocations) this.#deliverAt(next.visibleAt);
  }

  async #invoke(taken: readonly TaskMessage[]): Promise<void> {
    this.active += 1;
    const messages = taken.map((body) => ({
      id: crypto.randomUUID(),
      timestamp: new Date(),
      body,
      attempts: 1,
      ack: () => undefined,
      retry: ({ delaySeconds = 0 }: { delaySeconds?: number } = {}) => this.send(body, delaySeconds),
    }));
    await runBatch(this.#env, messages as unknown as Message<unknown>[], this.#letters.length - this.#head);
    this.active -= 1;
    this.#deliver();
  }
}
