/**
 * Questions that an object answers when it has something to give, and not before: whoever asks need not ask again and
 * again. They are looked at after every event and, for what time alone brings, every few milliseconds.
 */

/** Well within a caller's patience. */
const HOLD_MS = 1_000;

/** How often they are looked at for what time alone brings. */
export const LOOK_MS = 50;

interface WaitingQuestion<Answer> {
  readonly ask: (now: number) => Answer;
  readonly until: number;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (reason: unknown) => void;
}

export class WaitingQuestions<Answer> {
  readonly #isWorthHolding: (answer: Answer) => boolean;
  readonly #waiting: WaitingQuestion<Answer>[] = [];

  /** @param isWorthHolding the answer gives nothing, and a later one may */
  constructor(isWorthHolding: (answer: Answer) => boolean) {
    this.#isWorthHolding = isWorthHolding;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** @returns the first answer, where it gives something, or a later one */
  hold(first: Answer, ask: (now: number) => Answer, now: number): Answer | Promise<Answer> {
    if (!this.#isWorthHolding(first)) return first;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#waiting.push({ ask, until: now + HOLD_MS, resolve, reject });
    return promise;
  }

  /** The oldest first. One that cannot be answered costs the others nothing (rule R21). */
  look(now: number): void {
    for (const waiting of this.#waiting.splice(0)) {
      try {
        const answer = waiting.ask(now);
        if (this.#isWorthHolding(answer) && now < waiting.until) this.#waiting.push(waiting);
        else waiting.resolve(answer);
      } catch (error) {
        waiting.reject(error);
      }
    }
  }
}
