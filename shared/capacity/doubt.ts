/**
 * How often a learnt number is doubted, upwards. After some rounds that were used up, one call more is let
 * through, then one more, two, four; what has grown by a third must hold for a round first. Each failure
 * doubles the patience. No I/O.
 */

const FIRST_PATIENCE = 3;
const MAX_PATIENCE = 64;

/** Within one round. */
const MAX_GROWTH = 1.3;

/** A higher number may be what had been saved up: equals hear of it, and patience is short again, when it lasts. */
const TELLING_ROUNDS = 3;
const HELD_ROUNDS = 4;

/** The limit lies somewhere between the number and what it was raised from: on average a round uses up half the difference. */
const USED_SHARE = 0.5;

/** So much more, and more than was ever let in at a time, is no small change: equals hear of it at once. */
const MUCH_MORE = 1.4;

export class Doubt {
  /** How often equals should look whether they bear more too. */
  raises = 0;
  #clean: number;
  #patience = FIRST_PATIENCE;
  #step = 0;
  #passed = 0;
  #raisedFor: number | undefined;
  #numberBefore = 0;
  /** What the raises began from. */
  #base = 0;
  #hasTold = false;

  /** @param turn equals doubt one after the other */
  constructor(turn: number) {
    this.#clean = -turn;
  }

  /** Calls more than the number that may be under way without having been let in yet; 0: nothing is doubted. */
  get step(): number {
    return this.#step - this.#passed;
  }

  get isRaised(): boolean {
    return this.#raisedFor !== undefined;
  }

  /**
   * @param most calls that were once let in at a time: so many may be saved up again, and let a higher number pass
   * @returns true when something is to be doubted in the round that begins
   */
  beginRound(wasFull: boolean, number: number, most: number): boolean {
    this.#step = 0;
    this.#passed = 0;
    this.#numberBefore = number;
    if (this.#raisedFor !== undefined && wasFull) {
      this.#raisedFor += 1;
      const isMoreThanSaved = number > most;
      // What was saved up lets more pass each time: the next raise waits until it must have been used up.
      if (isMoreThanSaved && this.#raisedFor === 1) this.soon();
      const savedRounds = Math.max(0, most - number) / (USED_SHARE * Math.max(1, number - this.#base));
      const isMuchMore = isMoreThanSaved && number >= MUCH_MORE * this.#base;
      if (isMuchMore || this.#raisedFor >= Math.max(TELLING_ROUNDS, savedRounds)) this.#tell();
      if (this.#raisedFor >= Math.max(HELD_ROUNDS, savedRounds)) {
        this.#patience = FIRST_PATIENCE;
        this.#raisedFor = undefined;
      }
    }
    if (!wasFull || ++this.#clean < this.#patience) return false;
    this.#clean = 0;
    return true;
  }

  begin(): void {
    this.#step = 1;
  }

  soon(): void {
    this.#clean = this.#patience;
  }

  /** One call more was let in. @returns by how much the number grows now */
  pass(number: number): number {
    if (++this.#passed < this.#step) return 0;
    const raise = this.#step;
    this.#passed = 0;
    if (this.#raisedFor === undefined) {
      this.#base = number;
      this.#hasTold = false;
    } else if (this.#raisedFor === 0) this.#step *= 2;
    this.#raisedFor = 0;
    if (number + raise > this.#numberBefore * MAX_GROWTH) this.#step = 0;
    return raise;
  }

  #tell(): void {
    if (this.#hasTold) return;
    this.#hasTold = true;
    this.raises += 1;
  }

  /** It was refused: the number stands. */
  fail(): void {
    const raisedFor = this.#raisedFor;
    this.stop();
    this.#raisedFor = raisedFor;
  }

  stop(): void {
    this.#reset(Math.min(0, this.#clean), Math.min(MAX_PATIENCE, this.#patience * 2));
  }

  /** The number was found lower than it was; that may have been a stray refusal, and is doubted in the next round. */
  restart(): void {
    this.#reset(FIRST_PATIENCE - 1, FIRST_PATIENCE);
  }

  /** More is known of the period: there may be more to find. */
  relax(): void {
    this.#patience = FIRST_PATIENCE;
  }

  #reset(clean: number, patience: number): void {
    this.#clean = clean;
    this.#patience = patience;
    this.#step = 0;
    this.#passed = 0;
    this.#raisedFor = undefined;
  }
}
