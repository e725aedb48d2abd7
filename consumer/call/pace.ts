/**
 * Which services answer quickly, as this isolate has tried: six calls with nothing else beside them.
 * (Calls beside many others of an isolate take long whatever the backend does.) Plain data, and no
 * more than a hint: what comes of a wrong one is bounded (`slice.ts`).
 */

/** What is quick is tried again after this, and what is not: a try holds a batch up for a moment. */
const QUICK_HOLDS_MS = 10_000;
const SLOW_HOLDS_MS = 2_000;

export class Paces {
  readonly #known = new Map<string, { readonly isQuick: boolean; readonly until: number }>();

  note(services: Iterable<string>, isQuick: boolean, now: number): void {
    const until = now + (isQuick ? QUICK_HOLDS_MS : SLOW_HOLDS_MS);
    for (const service of services) this.#known.set(service, { isQuick, until });
  }

  /** Whether all of `services` are quick; undefined when it has to be tried. */
  areQuick(services: Iterable<string>, now: number): boolean | undefined {
    const known = Array.from(services, (service) => this.#known.get(service));
    if (known.some((one) => one !== undefined && !one.isQuick && one.until > now)) return false;
    return known.every((one) => one !== undefined && one.until > now) ? true : undefined;
  }
}
