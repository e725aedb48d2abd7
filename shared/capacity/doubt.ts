/**
 * How often a learnt number is doubted, upwards. After some rounds that were used up, one call more is let
 * through at a time; what has grown by a third must hold for a round first. Each failure doubles the patience.
 * No I/O.
 */

const FIRST_PATIENCE = 3;
const MAX_PATIENCE = 64;

/** Within one round. */
const MAX_GROWTH = 1.3;

/**
 * A higher number may be what had been saved up: equals hear of it, and patience is short again, when it lasts.
 * The limit lies somewhere between the number and what it was raised from: on average
 * a round uses up half the difference.
 */
const USED_SHARE = 0.5;

export class Doubt {
  #clean: number;
  #patience = FIRST_PATIENCE;
  #isDoubting = false;
  #raisedFor: number | undefined;
  #numberBefore = 0;
  /** What the raises began from. */
  #base = 0;

  /** @param turn equals doubt one after the other */
  constructor(turn: number) {
    this.#clean = -turn;
  }

  /** Calls more than the number that may be under way without having been let in yet. */
  get step(): 0 | 1 {
    return this.#isDoubting ? 1 : 0;
  }

  get isRaised(): boolean {
    return this.#raisedFor !== undefined;
  }

  /**
   * @param most calls that were once let in at a time: so many may be saved up again, and let a higher number pass
   * @param isPending it is not known yet whether a call that doubts was let in: its round may be over before
   * @returns true when something is to be doubted in the round that begins
   */
  beginRound(wasFull: boolean, number: number, most: number, isPending: boolean): boolean {
    this.#isDoubting &&= isPending;
    this.#numberBefore = number;
    if (this.#raisedFor !== undefined && wasFull) {
      this.#raisedFor += 1;
      // What was saved up lets more pass each time: the next raise waits until it must have been used up.
      if (number > most) this.soon();
      const savedRounds = Math.max(0, most - number) / (USED_SHARE * Math.max(1, number - this.#base));
      if (this.#raisedFor >= savedRounds) {
        this.#patience = FIRST_PATIENCE;
        this.#raisedFor = undefined;
      }
    }
    if (!wasFull || ++this.#clean < this.#patience) return false;
    this.#clean = 0;
    return true;
  }

  begin(): void {
    this.#isDoubting = true;
  }

  soon(): void {
    this.#clean = this.#patience;
  }

  /** One call more was let in. @returns by how much the number grows now */
  pass(number: number): 0 | 1 {
    if (!this.#isDoubting) return 0;
    if (this.#raisedFor === undefined) this.#base = number;
    this.#raisedFor = 0;
    this.#isDoubting = number + 1 <= this.#numberBefore * MAX_GROWTH;
    return 1;
  }

  /** It was refused: the number stands, or is lower. */
  fail(): void {
    this.#reset(Math.min(0, this.#clean), Math.min(MAX_PATIENCE, this.#patience * 2));
  }

  /**
   * The number was found lower than it was, and nothing had been doubted.
   * @param hadHeld for a round: it may have been a stray refusal, which the next round shows
   */
  restart(hadHeld: boolean): void {
    this.#reset(hadHeld ? FIRST_PATIENCE - 1 : -FIRST_PATIENCE, FIRST_PATIENCE);
  }

  #reset(clean: number, patience: number): void {
    this.#clean = clean;
    this.#patience = patience;
    this.#isDoubting = false;
    this.#raisedFor = undefined;
  }
}
