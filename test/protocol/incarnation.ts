/** What an object has: one life in memory after the other, and what outlives them. */
import { inTheWorld } from './machine.ts';

/** When it is over, whoever asked it something hears so, and nothing of it reaches storage. */
export class Incarnation<Host> {
  readonly host: Host;
  #isOver = false;
  readonly #whenOver = Promise.withResolvers<never>();

  /** @param make the host, which may ask whether its life is over */
  constructor(make: (isOver: () => boolean) => Host) {
    this.#whenOver.promise.catch(() => undefined);
    this.host = make(() => this.#isOver);
  }

  ask<Value>(question: (host: Host) => Promise<Value>): Promise<Value> {
    return Promise.race([question(this.host), this.#whenOver.promise]);
  }

  end(): void {
    this.#isOver = true;
    this.#whenOver.reject(new Error('The object was reset.'));
  }
}

/** The platform tries an alarm again that ended with an error (Durable Objects, "Alarms": after two seconds at first). */
const ALARM_RETRY_MS = 2_000;

/**
 * What an object keeps, with SQLite: a write that fails rolls back, and resets the object before anything of what it decided
 * leaves it (github.com/cloudflare/workerd, pull request 3832). An alarm rings by two clocks, the platform's and the object's
 * (pull request 5764), and may be late. One that is set by an alarm, and not for later, is lost (issue 6866).
 */
export class Disk {
  fails = () => false;
  alarmLateMs = () => 0;
  readonly #ring: () => Promise<void>;
  #alarm: { readonly at: number; readonly timer: ReturnType<typeof setTimeout> } | undefined;
  #isRinging = false;

  constructor(ring: () => Promise<void>) {
    this.#ring = ring;
  }

  get alarmAt(): number | undefined {
    return this.#alarm?.at;
  }

  /** On the object's machine. */
  setAlarm(at: number): void {
    const ownMs = at - Date.now();
    if (this.#isRinging && ownMs <= 0) return;
    if (this.#alarm !== undefined) clearTimeout(this.#alarm.timer);
    this.#alarm = inTheWorld(() => {
      const afterMs = Math.max(0, ownMs, at - Date.now()) + this.alarmLateMs();
      return { at, timer: setTimeout(() => this.#start(), afterMs) };
    });
  }

  clear(): void {
    if (this.#alarm !== undefined) clearTimeout(this.#alarm.timer);
    this.#alarm = undefined;
  }

  #start(): void {
    this.#alarm = undefined;
    this.#isRinging = true;
    const again = () => setTimeout(() => this.#start(), ALARM_RETRY_MS);
    this.#ring()
      .catch(again)
      .finally(() => {
        this.#isRinging = false;
      });
  }
}
