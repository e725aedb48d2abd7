/**
 * The messages of one batch and what becomes of each. Every message gets its disposition explicitly and
 * only after its outcome is durable; what has none at the end is retried (rule R5).
 *
 * The platform may apply dispositions only when the invocation ends. A short delay beside a long call is
 * therefore counted here: if it passes while the batch still runs, a copy is sent and the message
 * acked (rule R15).
 */

import { logError } from '../../shared/log.ts';
import { deliveryDelayMs, needsFreshCopy } from '../../shared/message/delivery.ts';
import type { TaskMessage } from '../../shared/message/task-message.ts';
import type { Disposition } from '../../shared/task/disposition.ts';

interface OpenMessages {
  /** Unix ms. */
  readonly until: number;
  readonly timer: ReturnType<typeof setTimeout> | undefined;
}

/** `setTimeout` takes 31 bits. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export class Deliveries {
  readonly #queue: Queue<TaskMessage>;
  /** Messages without a disposition, by task: duplicates share one disposition (rule R10). */
  readonly #open: Map<string, readonly Message<unknown>[]>;
  readonly #noReenqueue: ReadonlySet<string>;
  readonly #draining: boolean;
  readonly #held = new Map<string, OpenMessages>();
  readonly #copying: Promise<unknown>[] = [];

  /**
   * @param queue takes the copies
   * @param noReenqueue keys of messages that must not be renewed: the platform shall give up on them
   * @param draining nothing returns to the queue it came from as long as a copy can be sent
   */
  constructor(
    queue: Queue<TaskMessage>,
    messagesByKey: ReadonlyMap<string, readonly Message<unknown>[]>,
    noReenqueue: ReadonlySet<string> = new Set(),
    draining = false,
  ) {
    this.#queue = queue;
    this.#noReenqueue = noReenqueue;
    this.#draining = draining;
    this.#open = new Map(messagesByKey);
  }

  /** @param elsewhere where the task is to go on when it has to wait, if not in this queue */
  decide(key: string, disposition: Disposition, elsewhere?: Queue<TaskMessage>): void {
    if (!this.#open.has(key)) return;
    if (disposition.kind === 'ack') {
      this.#ack(key);
      return;
    }
    this.#release(key);
    const until = Date.now() + disposition.delayMs;
    if (elsewhere !== undefined) {
      // Should that queue not take it, it waits here.
      this.#held.set(key, { until, timer: undefined });
      this.#copying.push(this.#replace(key, disposition.delayMs, elsewhere));
      return;
    }
    const copy = () => {
      if (!this.#noReenqueue.has(key)) this.#copying.push(this.#replace(key, 0));
    };
    const timer = setTimeout(copy, Math.min(disposition.delayMs, MAX_TIMER_MS));
    this.#held.set(key, { until, timer });
  }

  /** Another message takes the place of these; as long as it cannot be sent, they come again themselves. */
  exchange(key: string, message: TaskMessage, delayMs: number): void {
    if (!this.#open.has(key)) return;
    this.#release(key);
    this.#copying.push(this.#replace(key, delayMs, this.#queue, message));
  }

  /** Gives every message that is still open its disposition. */
  async finish(): Promise<void> {
    for (const { timer } of this.#held.values()) if (timer !== undefined) clearTimeout(timer);
    await Promise.all(this.#copying);
    await Promise.all([...this.#open.keys()].map((key) => this.#returnToQueue(key)));
  }

  async #returnToQueue(key: string): Promise<void> {
    const messages = this.#open.get(key) ?? [];
    const until = this.#held.get(key)?.until;
    const [first] = messages;
    if (first === undefined) return;
    const delayMs = until === undefined ? deliveryDelayMs(first.attempts) : Math.max(0, until - Date.now());
    const nearDeliveryLimit = messages.some(({ attempts, timestamp }) =>
      needsFreshCopy(attempts, Date.now() - timestamp.getTime()),
    );
    const wantsCopy = nearDeliveryLimit || this.#draining;
    if (wantsCopy && !this.#noReenqueue.has(key) && (await this.#replace(key, delayMs))) return;
    for (const message of messages) message.retry({ delaySeconds: Math.ceil(delayMs / 1000) });
    this.#open.delete(key);
  }

  /** One fresh copy, or another message, for all messages of a task; they are acked only once it is sent. */
  async #replace(key: string, delayMs: number, queue = this.#queue, message?: TaskMessage): Promise<boolean> {
    const [first] = this.#open.get(key) ?? [];
    if (first === undefined) return true;
    try {
      const delaySeconds = Math.ceil(delayMs / 1000);
      await queue.send(message ?? (first.body as TaskMessage), { contentType: 'json', delaySeconds });
      this.#ack(key);
      return true;
    } catch (error) {
      logError('copy.failed', { message: first.id }, error);
      return false;
    }
  }

  #ack(key: string): void {
    for (const message of this.#open.get(key) ?? []) message.ack();
    this.#open.delete(key);
    this.#release(key);
  }

  #release(key: string): void {
    const held = this.#held.get(key);
    if (held?.timer !== undefined) clearTimeout(held.timer);
    this.#held.delete(key);
  }
}
