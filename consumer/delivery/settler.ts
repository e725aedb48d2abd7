/**
 * Records outcomes in micro-batches as they come, not when the slowest call of the batch ends. While
 * one write is under way the next batch gathers. An outcome that cannot be recorded is handed back after
 * a while. Outcomes of tasks whose store does not answer are tried again beside the others, which do not
 * wait for them.
 */
import pRetry from 'p-retry';
import type { ClaimSession, Settled, Settlement } from '../../shared/ledger/contract.ts';
import { logError } from '../../shared/log.ts';

/**
 * Outcomes that come this close together share a statement; a batch's last ones do not wait. Each
 * statement costs about a millisecond of processor beside its rows: quick batches shall need one.
 */
const WINDOW_MS = 100;

/** About 15 seconds in all: within the slack of the lease. */
const RETRIES = { retries: 5, minTimeout: 500, factor: 2, maxTimeout: 8_000 };

export class Settler {
  readonly #ledger: Pick<ClaimSession, 'settle'>;
  readonly #onSettled: (settled: Settled) => void;
  readonly #onUnrecorded: (settlements: readonly Settlement[]) => void;
  #outstanding: number;
  #pending: Settlement[] = [];
  #loop: Promise<void> | undefined;
  readonly #late: Promise<void>[] = [];
  #endWindow: () => void = () => {};

  /**
   * @param expected how many settlements will come
   * @param onUnrecorded takes those that could not be recorded, as far as anybody knows
   */
  constructor(
    ledger: Pick<ClaimSession, 'settle'>,
    expected: number,
    onSettled: (settled: Settled) => void,
    onUnrecorded: (settlements: readonly Settlement[]) => void,
  ) {
    this.#onUnrecorded = onUnrecorded;
    this.#ledger = ledger;
    this.#outstanding = expected;
    this.#onSettled = onSettled;
  }

  add(settlements: readonly Settlement[]): void {
    if (settlements.length === 0) return;
    this.#pending.push(...settlements);
    this.#outstanding -= settlements.length;
    if (this.#outstanding <= 0) this.#endWindow();
    this.#loop ??= this.#run();
  }

  /** Resolves when all that was added is recorded or handed back. */
  async drain(): Promise<void> {
    await this.#loop;
    await Promise.all(this.#late);
  }

  async #run(): Promise<void> {
    while (this.#pending.length > 0) {
      if (this.#outstanding > 0) await this.#window();
      const batch = this.#pending;
      this.#pending = [];
      await this.#record(batch);
    }
    this.#loop = undefined;
  }

  #window(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, WINDOW_MS);
      this.#endWindow = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #record(batch: Settlement[]): Promise<void> {
    const open = await this.#try(batch, 'none');
    if (open.length > 0) this.#late.push(this.#try(open, 'some').then(() => undefined));
  }

  /**
   * @param until try again as long as none of them is recorded, or as long as some are not
   * @returns what is not recorded
   */
  async #try(batch: Settlement[], until: 'none' | 'some'): Promise<Settlement[]> {
    let open = batch;
    const settle = async () => {
      const answers = await this.#ledger.settle(open);
      const recorded = new Set(answers.map(({ id }) => id));
      open = open.filter(({ id }) => !recorded.has(id));
      for (const settled of answers) this.#onSettled(settled);
      if (open.length > 0 && until === 'some') throw new Error('their store does not answer');
    };
    try {
      await pRetry(settle, { ...RETRIES, shouldRetry: () => true });
      return open;
    } catch (error) {
      logError('settle.failed', { tasks: open.length }, error);
      this.#onUnrecorded(open);
      return [];
    }
  }
}
