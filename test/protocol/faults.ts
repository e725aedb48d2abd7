/**
 * What goes wrong, and where. Everything that an invocation does to the world outside is an effect
 * with a name (`db.claim`, `ledger.settle`, `queue.send`, `backend`, …) and passes through here. A
 * fault wraps the real effect; it never replaces it by a made-up answer.
 */
import { never } from './clock.ts';
import { inTheWorld } from './machine.ts';

export type Fault =
  /** Fails before it takes effect. */
  | 'down'
  /** Takes effect and then reports an error. */
  | 'lost-answer'
  /** Reports an error, as after a time-out, and takes effect some time later. */
  | 'late'
  /** Of an object: it is gone from memory, and with it what it was asked then. */
  | 'reset'
  /** The invocation is killed before the effect. */
  | 'crash-before'
  /** The invocation is killed after the effect, before it hears of it. */
  | 'crash-after';

/** What may strike anywhere. */
export const FAULTS: readonly Fault[] = ['down', 'lost-answer', 'crash-before', 'crash-after'];

/** How an invocation ended. */
export type Ending<Value> =
  | { readonly kind: 'returned'; readonly value: Value }
  | { readonly kind: 'killed' }
  | { readonly kind: 'threw'; readonly error: unknown };

/** One invocation of a Worker. Once killed, nothing of it reaches the world any more. */
export class Invocation {
  readonly name: string;
  readonly startedAt = inTheWorld(() => Date.now());
  killed = false;
  /** It returned, or threw: what it still does, the platform may cut off. */
  over = false;
  /** Of a consumer: when the registry told its isolate its services in time. */
  toldAt: readonly number[] = [];
  /** Of a consumer: tasks that it was granted, before it has called them or said what becomes of them. */
  readonly held = new Set<string>();
  /** A session with the ledger could not be opened. */
  isCutOff = false;
  readonly #whenKilled = Promise.withResolvers<void>();

  constructor(name: string) {
    this.name = name;
  }

  get whenKilled(): Promise<void> {
    return this.#whenKilled.promise;
  }

  kill(): void {
    this.killed = true;
    this.#whenKilled.resolve();
  }
}

/** What one Worker asks another, and what it is answered. */
export type Exchange = <Question, Answer>(
  effect: string,
  question: Question,
  ask: (question: Question) => Promise<Answer>,
) => Promise<Answer>;

/** As RPC copies it. */
const copied: Exchange = async (_, question, ask) => structuredClone(await ask(structuredClone(question)));

/** An order for a fault: at the `nth` effect from now whose name is `at` or starts with `at.`. */
interface Order {
  readonly at: string;
  readonly fault: Fault;
  nth: number;
}

export class Faults {
  #orders: Order[] = [];
  #inForce = new Map<string, Fault>();
  readonly #struck = new Map<string, number>();
  /** What somebody asks for and has not come there, by name. Whoever asks may be gone by then. */
  readonly onTheWay: string[] = [];
  /** Throws the dice for faults that nobody ordered. */
  draw: ((effect: string) => Fault | undefined) | undefined;
  /** Virtual time that passes before an effect, and before its answer arrives (`… answer`). */
  latency: ((effect: string) => Promise<void>) | undefined;
  /** Lets what is late take effect. */
  later: ((effect: string, take: () => Promise<unknown>) => void) | undefined;
  /** Takes the object that an effect asks from memory. */
  reset: ((effect: string) => void) | undefined;
  /** What becomes of questions and answers on their way. */
  exchange: Exchange = copied;
  /** Told of what an invocation does after its end. */
  onLate: ((invocation: Invocation, effect: string) => void) | undefined;
  /** Told of what comes when its invocation is over. */
  onArrival: (() => Promise<void>) | undefined;
  /** Told of every fault that strikes. */
  onFault: ((effect: string, fault: Fault) => void) | undefined;

  /** Once, at the `nth` such effect from now. */
  once(at: string, fault: Fault, nth = 1): void {
    this.#orders.push({ at, fault, nth });
  }

  /** At every such effect, until `mend` or `heal`. */
  always(at: string, fault: 'down' | 'lost-answer'): void {
    this.#inForce.set(at, fault);
  }

  /** @returns to be called when what was asked for is there */
  setOut(effect: string): () => void {
    this.onTheWay.push(effect);
    return () => void this.onTheWay.splice(this.onTheWay.indexOf(effect), 1);
  }

  /** How many faults there were. */
  get strikes(): number {
    return [...this.#struck.values()].reduce((sum, count) => sum + count, 0);
  }

  /** How many faults there were at effects of this name. */
  struckAt(name: string): number {
    return this.#struck.get(name) ?? 0;
  }

  mend(at: string): void {
    this.#inForce.delete(at);
  }

  heal(): void {
    this.#orders = [];
    this.#inForce = new Map();
    this.draw = undefined;
    this.latency = undefined;
  }

  effect<Value>(invocation: Invocation, name: string, take: () => Promise<Value>): Promise<Value> {
    return inTheWorld(() => this.#effect(invocation, name, take));
  }

  async #effect<Value>(invocation: Invocation, name: string, take: () => Promise<Value>): Promise<Value> {
    if (invocation.killed) return never();
    if (invocation.over) this.onLate?.(invocation, name);
    const arrive = this.setOut(name);
    if (this.latency !== undefined) await this.latency(name);
    arrive();
    if (invocation.killed) return never();
    const fault = this.#faultAt(name);
    if (fault !== undefined) {
      this.#struck.set(name, this.struckAt(name) + 1);
      this.onFault?.(name, fault);
    }
    if (fault === 'down') throw new Error(`${name} is down`);
    if (fault === 'crash-before') {
      invocation.kill();
      return never();
    }
    if (fault === 'late') {
      this.later?.(name, take);
      throw new Error(`${name} did not answer in time`);
    }
    if (fault === 'reset') {
      this.reset?.(name);
      throw new Error(`${name}: the object was reset`);
    }
    try {
      const value = await take();
      if (invocation.over) await this.onArrival?.();
      if (this.latency !== undefined) await this.latency(`${name} answer`);
      if (fault === 'lost-answer') throw new Error(`${name} took effect, and its answer was lost`);
      if (fault === 'crash-after') invocation.kill();
      return invocation.killed ? never() : value;
    } catch (error) {
      if (invocation.killed) return never();
      throw error;
    }
  }

  #faultAt(name: string): Fault | undefined {
    const matches = (at: string) => name === at || name.startsWith(`${at}.`);
    for (const order of this.#orders) {
      if (matches(order.at)) order.nth -= 1;
    }
    const order = this.#orders.find(({ nth }) => nth <= 0);
    if (order !== undefined) {
      this.#orders.splice(this.#orders.indexOf(order), 1);
      return order.fault;
    }
    for (const [at, fault] of this.#inForce) if (matches(at)) return fault;
    return this.draw?.(name);
  }
}
