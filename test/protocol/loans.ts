/** Rule R22 at moments when no consumer is at work: no place and no key is on loan. */
import type { Registry } from '../../callback/registry/state.ts';
import type { Fault } from './faults.ts';

/** By these leases end before their time; a pool's shard stands behind them. */
const BACK = ['keys.release', 'registry.report', 'registry.give-up', 'registry.end-task'];
/** The registry's go back through it: what waits for it goes nowhere once its batch is over. */
const SESSION = 'ledger.open';

function goesBack(effect: string): boolean {
  return BACK.some((name) => effect.startsWith(name));
}

export class Loans {
  readonly #violations: string[];
  /** Somebody was killed, or what went back was not taken: the lease's end is all that ends it. */
  #rests = false;

  constructor(violations: string[]) {
    this.#violations = violations;
  }

  noteFault(effect: string, fault: Fault): void {
    const isGone = effect === SESSION || (goesBack(effect) && fault !== 'late');
    if (isGone || fault.startsWith('crash')) this.noteLoss();
  }

  /** From now on nothing can be said. */
  noteLoss(): void {
    this.#rests = true;
  }

  /** @param onTheWay what was asked for and may come yet: what goes back with it is on loan until then */
  check({ leases }: Registry, keys: readonly { readonly inFlight: number }[], onTheWay: readonly string[]): void {
    const places = [...leases.values()].reduce((sum, { open }) => sum + open.size, 0);
    const used = keys.reduce((sum, { inFlight }) => sum + inFlight, 0);
    if (places + used === 0) return;
    if (onTheWay.includes(SESSION)) this.noteLoss();
    if (this.#rests || onTheWay.some(goesBack)) return;
    this.noteLoss();
    this.#violations.push(`${places} places and ${used} keys are on loan, and nobody has them (R22)`);
  }
}
