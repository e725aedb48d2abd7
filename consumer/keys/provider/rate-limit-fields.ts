/**
 * The fields `RateLimit` and `RateLimit-Policy` of the IETF draft (draft-ietf-httpapi-ratelimit-headers),
 * in the form of its later versions, `"default";r=50;t=30`, and of the earlier ones,
 * `limit=100, remaining=50, reset=30`. Pure.
 */
import { parseDictionary, parseList } from 'structured-headers';
import type { LimitFields } from './limit-fields.ts';

export interface RateLimitState {
  readonly name: string;
  readonly remaining: number;
  readonly resetSeconds: number;
  /** Of the earlier form only; the later one says it in the policy. */
  readonly limit: number | undefined;
}

export interface RateLimitPolicy {
  readonly name: string;
  readonly limit: number;
  readonly windowSeconds: number | undefined;
}

export function rateLimitOf(fields: LimitFields): RateLimitState[] {
  const text = fields.get('ratelimit');
  if (text === undefined) return [];
  const early = dictionaryOf(text);
  if (early.has('remaining') || early.has('reset')) {
    return [
      {
        name: '',
        remaining: early.get('remaining') ?? 0,
        resetSeconds: early.get('reset') ?? 0,
        limit: early.get('limit'),
      },
    ];
  }
  return itemsOf(text).map(({ name, parameters }) => ({
    name,
    remaining: parameters.get('r') ?? 0,
    resetSeconds: parameters.get('t') ?? 0,
    limit: undefined,
  }));
}

export function policyOf(fields: LimitFields): RateLimitPolicy[] {
  return itemsOf(fields.get('ratelimit-policy') ?? '').flatMap(({ name, parameters }) => {
    const limit = parameters.get('q') ?? (/^\d+$/.test(name) ? Number(name) : undefined);
    return limit === undefined ? [] : [{ name, limit, windowSeconds: parameters.get('w') }];
  });
}

interface Item {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, number>;
}

/** A field that is malformed anywhere is ignored as a whole, as RFC 9651 asks. */
function itemsOf(text: string): Item[] {
  return ifWellFormed(() => parseList(text), []).flatMap(([value, parameters]): Item[] => {
    if (Array.isArray(value)) return [];
    return [{ name: value.toString(), parameters: numbersOf(parameters) }];
  });
}

/** Of the members that are numbers. */
function dictionaryOf(text: string): Map<string, number> {
  const dictionary = ifWellFormed(() => parseDictionary(text), new Map());
  return numbersOf(new Map(Array.from(dictionary, ([name, [value]]) => [name, value])));
}

function numbersOf(values: ReadonlyMap<string, unknown>): Map<string, number> {
  const numbers = new Map<string, number>();
  for (const [name, value] of values) {
    // Some write them as strings.
    const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && number >= 0) numbers.set(name, number);
  }
  return numbers;
}

function ifWellFormed<Value>(parse: () => Value, otherwise: Value): Value {
  try {
    return parse();
  } catch {
    return otherwise;
  }
}
