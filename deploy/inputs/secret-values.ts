/**
 * Secrets on their way from the environment into the account. The values sit in a private field:
 * printed, logged or written as JSON the object shows how many there are and nothing else.
 */
import { inspect } from 'node:util';

export class SecretValues {
  readonly #values: ReadonlyMap<string, string>;

  constructor(values: Iterable<readonly [name: string, value: string]> = []) {
    this.#values = new Map(values);
  }

  get names(): readonly string[] {
    return [...this.#values.keys()];
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  get(name: string): string | undefined {
    return this.#values.get(name);
  }

  /** Both, this one's where both have one. */
  over(others: SecretValues): SecretValues {
    return new SecretValues([...others.#values, ...this.#values]);
  }

  /** A text with every value taken out, for messages that come from elsewhere. */
  redact(text: string): string {
    return [...this.#values.values()].reduce((clean, value) => clean.replaceAll(value, '[redacted]'), text);
  }

  toJSON(): string {
    return `[${this.#values.size} secrets]`;
  }

  toString(): string {
    return this.toJSON();
  }

  [inspect.custom](): string {
    return this.toJSON();
  }
}
