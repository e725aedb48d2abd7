/** One life of an object in memory: when it is over, whoever asked it something hears so, and nothing of it reaches storage. */

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

export function ringUntilDone(ring: () => Promise<void>): void {
  ring().catch(() => setTimeout(() => ringUntilDone(ring), ALARM_RETRY_MS));
}
