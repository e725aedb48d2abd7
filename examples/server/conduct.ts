/** How an example server behaves: read from the command line, and changed while it runs by `POST /_set`. */

export interface Conduct {
  /** Of a call's work. */
  readonly latencyMs: number;
  /** Up to so much longer or shorter, by chance. */
  readonly jitterMs: number;
  /** Of calls that answer 500, from 0 to 1. */
  readonly failRate: number;
  readonly version: string;
}

export const DEFAULT_CONDUCT: Conduct = { latencyMs: 50, jitterMs: 10, failRate: 0, version: '1.0.0' };

/**
 * @param read a setting as text, undefined when it is not given
 * @throws Error that says which setting is wrong
 */
export function conductFrom(before: Conduct, read: (name: keyof Conduct) => string | undefined): Conduct {
  const number = (name: 'latencyMs' | 'jitterMs' | 'failRate', max: number) => {
    const text = read(name);
    if (text === undefined) return before[name];
    const value = Number(text);
    if (text !== '' && value >= 0 && value <= max) return value;
    throw new Error(`${name} is a number from 0 to ${max}, not ${JSON.stringify(text)}`);
  };
  return {
    latencyMs: number('latencyMs', 600_000),
    jitterMs: number('jitterMs', 600_000),
    failRate: number('failRate', 1),
    version: read('version') ?? before.version,
  };
}

/** How long one call works. */
export function workMs({ latencyMs, jitterMs }: Conduct, random: () => number): number {
  return Math.max(0, latencyMs + jitterMs * (2 * random() - 1));
}
