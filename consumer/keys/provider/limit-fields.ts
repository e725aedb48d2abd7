/**
 * The header fields of an answer that speak of limits, by their names in lower case. Read in one pass:
 * a look into headers leaves the engine each time, some thirty names may be asked for, and most
 * answers have none of them. Pure.
 */

export type LimitFields = ReadonlyMap<string, string>;

export function limitFieldsOf(headers: Headers): LimitFields {
  const fields = new Map<string, string>();
  for (const [name, value] of headers) {
    if (
      name.includes('ratelimit') ||
      name.includes('rate-limit') ||
      name.includes('retry-after') ||
      name === 'x-amzn-errortype' ||
      name === 'date'
    ) {
      fields.set(name, value);
    }
  }
  return fields;
}

/** What backends call the parts of one allowance. */
export interface AllowanceNames {
  readonly limit: string;
  readonly remaining: string;
  readonly reset: string;
}

const named = (before: string, after = ''): AllowanceNames => ({
  limit: `${before}limit${after}`,
  remaining: `${before}remaining${after}`,
  reset: `${before}reset${after}`,
});

/** Told beside any answer. */
export const REQUESTS_LEFT = [
  named('x-ratelimit-', '-requests'),
  named('anthropic-ratelimit-requests-'),
  named('ratelimit-'),
  named('x-ratelimit-'),
];
export const TOKENS_LEFT = [
  named('x-ratelimit-', '-tokens'),
  named('anthropic-ratelimit-tokens-'),
  named('anthropic-ratelimit-input-tokens-'),
  named('anthropic-ratelimit-output-tokens-'),
];

/** All of which a refusal may say when they are there again; a plan's is said with refusals alone. */
export const ALLOWANCES = [
  ...REQUESTS_LEFT,
  ...TOKENS_LEFT,
  named('x-ratelimit-', '-input-tokens'),
  named('x-ratelimit-', '-output-tokens'),
  named('x-rate-limit-'),
  named('anthropic-ratelimit-unified-'),
];
