/**
 * The calls of one batch that are under leases, of keys and of places alike, and how they go back (rule R22): at
 * once where somebody waits for what they held, in halves from a long batch, so that one slow call does not
 * hold the others' capacity, and the rest at the batch's end.
 */

/** Ended calls that somebody waits for go together when they end together. */
const URGENT_MS = 10;

/** Ended calls are flushed early when they are the larger half, but no more often than this. */
const EARLY_MS = 1_000;

/** `awaited`: somebody waits for what it held. `kept`: another call has it now, so nothing comes free. */
type Urgency = 'awaited' | 'free' | 'kept';

/** @template Report what its lender is told of a call */
interface OpenLease<Report> {
  readonly id: string;
  readonly lender: string;
  /** Calls that have not ended. */
  open: number;
  pending: Report[];
  /** Of the pending calls, those that set something free. */
  freed: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  flushedAt: number;
}

export class OpenLeases<Report> {
  readonly #send: (lender: string, leaseId: string, reports: Report[]) => void;
  readonly #leases = new Map<string, OpenLease<Report>>();
  readonly #leaseOf = new Map<string, OpenLease<Report>>();

  /** @param send sends reports to who lent: a pool's name, for instance */
  constructor(send: (lender: string, leaseId: string, reports: Report[]) => void) {
    this.#send = send;
  }

  add(id: string, lender: string, calls: readonly { readonly id: string }[]): void {
    if (calls.length === 0) return;
    const fresh = { id, lender, open: 0, pending: [], freed: 0, timer: undefined, flushedAt: Date.now() };
    const lease = this.#leases.get(id) ?? fresh;
    this.#leases.set(id, lease);
    lease.open += calls.length;
    for (const call of calls) this.#leaseOf.set(call.id, lease);
  }

  has(task: string): boolean {
    return this.#leaseOf.has(task);
  }

  /** The call has ended, if it is under a lease. */
  end(task: string, report: Report, urgency: Urgency): void {
    const lease = this.#leaseOf.get(task);
    if (lease === undefined) return;
    this.#leaseOf.delete(task);
    lease.open -= 1;
    lease.pending.push(report);
    if (urgency !== 'kept') lease.freed += 1;
    if (urgency === 'awaited') lease.timer ??= setTimeout(() => this.#flush(lease), URGENT_MS);
  }

  /** After calls have ended: flushes the larger halves of those that go on. */
  flushHalves(): void {
    const now = Date.now();
    for (const lease of [...this.#leases.values()]) {
      if (lease.open === 0) {
        this.#flush(lease);
        continue;
      }
      const isHalf = lease.freed > 0 && lease.freed >= lease.open;
      if (isHalf && now - lease.flushedAt >= EARLY_MS) this.#flush(lease);
    }
  }

  /** Flushes what is left. */
  flush(): void {
    for (const lease of [...this.#leases.values()]) this.#flush(lease);
  }

  #flush(lease: OpenLease<Report>): void {
    if (lease.timer !== undefined) clearTimeout(lease.timer);
    lease.timer = undefined;
    if (lease.open === 0) this.#leases.delete(lease.id);
    if (lease.pending.length === 0) return;
    const reports = lease.pending;
    lease.pending = [];
    lease.freed = 0;
    lease.flushedAt = Date.now();
    this.#send(lease.lender, lease.id, reports);
  }
}
