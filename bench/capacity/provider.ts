/** Providers as one meets them: kinds of limits, told or not, and keys that are not good. Deterministic. */

export type Random = () => number;

/** A small generator: the same seed gives the same run. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state * 1664525 + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export interface Limits {
  readonly kind: 'none' | 'fixed' | 'sliding' | 'bucket' | 'at-once';
  readonly windowMs?: number;
  readonly limit?: number;
  readonly limitAt?: (now: number) => number;
  /** A second limit of the same kind, over a longer time. */
  readonly longer?: { readonly limit: number; readonly windowMs: number };
  /** Windows end by the clock, and not so long after their first call. */
  readonly isAligned?: boolean;
  readonly perSecond?: number;
  readonly burst?: number;
  /** `Retry-After`, in whole seconds. */
  readonly tells?: boolean;
  /** What is left, beside each answer; a bucket says in whole seconds when it is full again. */
  readonly tellsLeft?: boolean;
}

export interface Said {
  readonly status: number;
  readonly retryAfterMs?: number;
  readonly left?: { readonly limit: number; readonly remaining: number; readonly resetAt: number };
}

/** One key, in one bucket, at the provider's. */
export class ProviderKey {
  readonly #limits: Limits;
  readonly #offset: number;
  readonly #longer: ProviderKey | undefined;
  #log: number[] = [];
  #window: number | undefined;
  /** Of the window, or under way. */
  #calls = 0;
  #tokens: number;
  #at = 0;

  constructor(limits: Limits, random: Random) {
    this.#limits = limits;
    this.#offset = random() * (limits.windowMs ?? 0);
    this.#tokens = limits.burst ?? 0;
    const { kind, longer } = limits;
    this.#longer = longer && new ProviderKey({ kind, ...longer }, random);
  }

  call(now: number): Said {
    const waitMs = this.take(now);
    const { tells, tellsLeft } = this.#limits;
    if (waitMs > 0) return { status: 429, ...(tells && { retryAfterMs: Math.ceil(waitMs / 1_000) * 1_000 }) };
    return tellsLeft ? { status: 200, left: this.#left(now) } : { status: 200 };
  }

  #left(now: number): NonNullable<Said['left']> {
    const { kind, windowMs = 0, burst = 0, perSecond = 1 } = this.#limits;
    if (kind === 'bucket') {
      const secondsToFull = Math.ceil((burst - this.#tokens) / perSecond);
      return { limit: burst, remaining: Math.floor(this.#tokens), resetAt: now + secondsToFull * 1_000 };
    }
    const limit = this.#limit(now);
    return { limit, remaining: limit - this.#calls, resetAt: (this.#window ?? now) + windowMs };
  }

  end(): void {
    if (this.#limits.kind === 'at-once' && this.#calls > 0) this.#calls -= 1;
  }

  /** @returns 0 when the call is let in, else how long it is until one is */
  take(now: number): number {
    const both = this.#longer === undefined ? [this] : [this, this.#longer];
    const waitMs = Math.max(...both.map((limit) => limit.#waitMs(now)));
    if (waitMs <= 0) for (const limit of both) limit.#count(now);
    return waitMs;
  }

  #waitMs(now: number): number {
    const { kind, windowMs = 0, burst = 0, perSecond = 1 } = this.#limits;
    const limit = this.#limit(now);
    switch (kind) {
      case 'none':
        return 0;
      case 'fixed': {
        const isNew = this.#window === undefined || now - this.#window >= windowMs;
        if (isNew) {
          this.#window = this.#limits.isAligned
            ? Math.floor((now + this.#offset) / windowMs) * windowMs - this.#offset
            : now;
          this.#calls = 0;
        }
        return this.#calls < limit ? 0 : (this.#window ?? now) + windowMs - now;
      }
      case 'sliding':
        this.#log = this.#log.filter((at) => at > now - windowMs);
        return this.#log.length < limit ? 0 : (this.#log[0] ?? now) + windowMs - now;
      case 'bucket':
        this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) / 1_000) * perSecond);
        this.#at = now;
        return this.#tokens < 1 ? ((1 - this.#tokens) / perSecond) * 1_000 : 0;
      case 'at-once':
        return this.#calls < limit ? 0 : 1_000;
    }
  }

  #count(now: number): void {
    this.#calls += 1;
    this.#tokens -= 1;
    this.#log.push(now);
  }

  #limit(now: number): number {
    return this.#limits.limitAt?.(now) ?? this.#limits.limit ?? Infinity;
  }
}
