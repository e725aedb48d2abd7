/** A wait that can be ended: until a time, or until something happens, whichever comes first. */

/** Timers take no longer; whoever waits looks again then. */
const LONGEST_MS = 3_600_000;

export class InterruptibleSleep {
  #wake: (() => void) | undefined;

  /** @param time Unix ms; Infinity: until `end` */
  until(time: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.end(), Math.min(Math.max(0, time - Date.now()), LONGEST_MS));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Does nothing when nobody waits. */
  end(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}
