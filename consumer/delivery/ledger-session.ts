/**
 * This batch's conversation with the ledger: one session, opened on first use and again after it
 * broke (the callback Worker was deployed, say), a bounded number of times.
 */
import type { ClaimBatch, Denial, Grant, LedgerSession, Settled, Settlement } from '../../shared/ledger/contract.ts';
import type {
  AbandonedLease,
  CallReports,
  RouteAnswer,
  RouteRequest,
  ServiceCatalog,
} from '../../shared/registry/routing.ts';
import type { LedgerBinding } from '../env.ts';

/** Opened again at most this often after it broke: each is a Worker invocation. */
export const MAX_LEDGER_SESSIONS = 4;

export class LedgerConversation implements LedgerSession, Disposable {
  readonly #binding: Pick<LedgerBinding, 'open'>;
  #session: Promise<LedgerSession & Partial<Disposable>> | undefined;
  #opened = 0;
  #isOver = false;

  constructor(binding: Pick<LedgerBinding, 'open'>) {
    this.#binding = binding;
  }

  claim(batch: ClaimBatch): Promise<(Grant | Denial)[]> {
    return this.#ask((session) => session.claim(batch));
  }

  settle(settlements: Settlement[]): Promise<Settled[]> {
    return this.#ask((session) => session.settle(settlements));
  }

  cancelledAmong(ids: string[]): Promise<string[]> {
    return this.#ask((session) => session.cancelledAmong(ids));
  }

  route(request: RouteRequest): Promise<RouteAnswer> {
    return this.#ask((session) => session.route(request));
  }

  reportCalls(reports: CallReports): Promise<void> {
    return this.#ask((session) => session.reportCalls(reports));
  }

  giveUp(lease: AbandonedLease): Promise<void> {
    return this.#ask((session) => session.giveUp(lease));
  }

  readServices(known: number): Promise<ServiceCatalog | undefined> {
    return this.#ask((session) => session.readServices(known));
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#close();
  }

  #close(): void {
    const session = this.#session;
    this.#session = undefined;
    session?.then((open) => open[Symbol.dispose]?.()).catch(() => undefined);
  }

  async #ask<Value>(question: (session: LedgerSession) => Promise<Value>): Promise<Value> {
    this.#session ??= this.#open();
    const session = this.#session;
    try {
      const open = await session;
      // Who asked has given up, and so has the batch.
      if (this.#isOver) throw new Error('the batch is over');
      return await question(open);
    } catch (error) {
      // Another question may have reopened it meanwhile; only the session that failed is given up.
      if (this.#session === session && this.#opened < MAX_LEDGER_SESSIONS) this.#close();
      throw error;
    }
  }

  async #open(): Promise<LedgerSession & Partial<Disposable>> {
    this.#opened += 1;
    return this.#binding.open();
  }
}
