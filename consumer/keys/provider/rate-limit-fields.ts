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
    return stateOf('', early, { remaining: 'remaining', reset: 'reset' });
  }
  return itemsOf(text).flatMap(({ name, parameters }) => stateOf(name, parameters, { remaining: 'r', reset: 't' }));
}

/** What is not the number that it should be says nothing, least of all that nothing is left. */
function stateOf(
  name: string,
  values: ReadonlyMap<string, unknown>,
  names: { readonly remaining: string; readonly reset: string },
): RateLimitState[] {
  const remaining = numberOf(values.get(names.remaining));
  const resetSeconds = numberOf(values.get(names.reset));
  if (remaining === undefined || (values.has(names.reset) && resetSeconds === undefined)) return [];
  return [{ name, remaining, resetSeconds, limit: numberOf(values.get('limit')) }];
}

export function policyOf(fields: LimitFields): RateLimitPolicy[] {
  return itemsOf(fields.get('ratelimit-policy') ?? '').flatMap(({ name, parameters }) => {
    const limit = numberOf(parameters.get('q')) ?? (/^\d+$/.test(name) ? Number(name) : undefined);
    const windowSeconds = numberOf(parameters.get('w'));
    const isOfRequests = (parameters.get('qu') ?? 'requests') === 'requests';
    return limit === undefined ? [] : [{ name, limit, windowSeconds, isOfRequests }];
  });
}

interface Item {
  readonly name: string;
  readonly parameters: ReadonlyMap<string, unknown>;
}

/** A field that is malformed anywhere is ignored as a whole, as RFC 9651 asks. */
function itemsOf(text: string): Item[] {
  return ifWellFormed(() => parseList(text), []).flatMap(([value, parameters]): Item[] => {
    if (Array.isArray(value)) return [];
    return [{ name: value.toString(), parameters }];
  });
}

function dictionaryOf(text: string): Map<string, unknown> {
  const dictionary = ifWellFormed(() => parseDictionary(text), new Map());
  return new Map(Array.from(dictionary, ([name, [value]]) => [name, value]));
}

/** All of them are integers that are not negative; some write them as strings. */
function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 ? number : undefined;
}

function ifWellFormed<Value>(parse: () => Value, otherwise: Value): Value {
  try {
    return parse();
  } catch {
    return otherwise;
  }
}
