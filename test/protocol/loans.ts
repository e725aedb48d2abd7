/** Rule R22 at moments when no consumer is at work: no place and no key is on loan. */
import type { Registry } from '../../callback/registry/state.ts';
import type { Fault } from './faults.ts';

/** By these leases end before their time; the registry's through a session. */
const BACK: ReadonlySet<string> = new Set([
  'keys.release',
  'registry.report',
  'registry.give-up',
  'registry.end-task',
  'ledger.open',
]);

export class Loans {
  readonly #violations: string[];
  /** Somebody was killed, or what went back was not taken: the lease's end is all that ends it. */
  #rests = false;

  constructor(violations: string[]) {
    this.#violations = violations;
  }

  noteFault(effect: string, fault: Fault): void {
    if (fault.startsWith('crash') || BACK.has(effect)) this.noteLoss();
  }

  /** From now on nothing can be said. */
  noteLoss(): void {
    this.#rests = true;
  }

  check({ leases }: Registry, keys: readonly { readonly inFlight: number }[]): void {
    const places = [...leases.values()].reduce((sum, { open }) => sum + open.size, 0);
    const used = keys.reduce((sum, { inFlight }) => sum + inFlight, 0);
    if (this.#rests || places + used === 0) return;
    this.noteLoss();
    this.#violations.push(`${places} places and ${used} keys are on loan, and nobody has them (R22)`);
  }
}
