/**
 * The fields `RateLimit` and `RateLimit-Policy` of the IETF draft in the form of its later versions
 * (draft-ietf-httpapi-ratelimit-headers-08 to -11), `"default";r=50;t=30`, and of the earlier ones,
 * `limit=100, remaining=50, reset=30`. Pure.
 */
import { parseDictionary, parseList } from 'structured-headers';
import type { LimitFields } from './limit-fields.ts';

export interface RateLimitState {
  readonly name: string;
  readonly remaining: number;
  /** Undefined where nothing is said: the window is the policy's, or there is none. */
  readonly resetSeconds: number | undefined;
  /** Of the earlier form only; the later one says it in the policy. */
  readonly limit: number | undefined;
}

export interface RateLimitPolicy {
  readonly name: string;
  readonly limit: number;
  readonly windowSeconds: number | undefined;
  /** False for what counts bytes, or calls under way. */
  readonly isOfRequests: boolean;
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
  return itemsOf(text).flatMap(({ name, numbers }) => {
    const remaining = numbers.get('r');
    // An item without what it is for says nothing, least of all that nothing is left.
    return remaining === undefined ? [] : [{ name, remaining, resetSeconds: numbers.get('t'), limit: undefined }];
  });
}

export function policyOf(fields: LimitFields): RateLimitPolicy[] {
  return itemsOf(fields.get('ratelimit-policy') ?? '').flatMap(({ name, numbers, unit }) => {
    const limit = numbers.get('q') ?? (/^\d+$/.test(name) ? Number(name) : undefined);
    return limit === undefined
      ? []
      : [{ name, limit, windowSeconds: numbers.get('w'), isOfRequests: unit === 'requests' }];
  });
}

interface Item {
  readonly name: string;
  /** Of the parameters that are some. */
  readonly numbers: ReadonlyMap<string, number>;
  /** `qu`; by default requests. */
  readonly unit: unknown;
}

/** A field that is malformed anywhere is ignored as a whole, as RFC 9651 asks. */
function itemsOf(text: string): Item[] {
  return ifWellFormed(() => parseList(text), []).flatMap(([value, parameters]): Item[] => {
    if (Array.isArray(value)) return [];
    return [{ name: value.toString(), numbers: numbersOf(parameters), unit: parameters.get('qu') ?? 'requests' }];
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
