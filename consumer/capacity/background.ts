/** What goes on beside a batch's own steps: questions and reports under way, calls that waited in place. */
import { logError } from '../../shared/log.ts';

export class Background {
  readonly #shard: string;
  readonly #work = new Set<Promise<void>>();

  constructor(shard: string) {
    this.#shard = shard;
  }

  get isIdle(): boolean {
    return this.#work.size === 0;
  }

  /** Work that breaks takes nothing else with it: the batch returns what it has not settled to its queue. */
  add(work: Promise<unknown>): void {
    const tracked = work
      .then(
        () => undefined,
        (error: unknown) => logError('batch.broken', { shard: this.#shard }, error),
      )
      .finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  /** Resolves when nothing is under way that was added by now. */
  async pass(): Promise<void> {
    await Promise.all(this.#work);
  }
}
