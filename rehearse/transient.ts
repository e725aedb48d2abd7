/**
 * What a real account refuses now and does not refuse later: too many calls, a thing that was made a moment ago and is
 * not known everywhere, an upload while another is still being written.
 */
import type { FakeCloudflare } from './fake-cloudflare.ts';
import { ApiRefusal } from './refusal.ts';

export interface TransientOptions {
  /** What was just made is answered with 404 at first, and an upload right after another new one with 409. */
  readonly settlesSlowly?: boolean;
  /** After so many calls everybody is refused, until `forgiven` says that the time is over. */
  readonly callLimit?: { readonly calls: number; readonly forgiven: () => boolean };
}

/** How often something new is denied. */
const DENIALS = 2;

const UPLOAD = /^\/workers\/scripts\/[^/]+$/;

export class TransientRefusals {
  readonly #options: TransientOptions;
  readonly #unsettled = new Map<string, number>();
  #uploadConflicts = 0;
  /** Calls since everybody was last let in. */
  #counted = 0;

  constructor(options: TransientOptions) {
    this.#options = options;
  }

  /** @throws Refusal */
  check(method: string, path: string): void {
    this.#countCall();
    if (this.#options.settlesSlowly !== true) return;
    const isUpload = method === 'PUT' && UPLOAD.test(path);
    if (isUpload && this.#uploadConflicts > 0) {
      this.#uploadConflicts -= 1;
      throw new ApiRefusal(409, 10035, 'multiple attempts to modify a resource occurred at the same time');
    }
    const parts = path.split('/');
    for (const [name, left] of this.#unsettled) {
      if (isUpload || left === 0 || !parts.includes(name)) continue;
      this.#unsettled.set(name, left - 1);
      throw new ApiRefusal(404, 10007, `${name} is not found`);
    }
  }

  noteMade(before: ReadonlySet<string>, cloud: FakeCloudflare): void {
    for (const name of namesIn(cloud)) {
      if (before.has(name)) continue;
      this.#unsettled.set(name, DENIALS);
      this.#uploadConflicts = 1;
    }
  }

  /** 1,200 calls in five minutes, then none for five. */
  #countCall(): void {
    const { callLimit } = this.#options;
    if (callLimit === undefined) return;
    this.#counted += 1;
    if (this.#counted <= callLimit.calls) return;
    if (!callLimit.forgiven()) throw new ApiRefusal(429, 971, 'please wait and consider throttling your requests', 300);
    this.#counted = 1;
  }
}

/** Names and ids by which calls speak of things. */
export function namesIn({ scripts, queues, databases }: FakeCloudflare): ReadonlySet<string> {
  return new Set([...scripts.keys(), ...queues.keys(), ...databases.keys()]);
}
