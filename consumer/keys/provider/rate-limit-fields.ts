/**
 * The fields `RateLimit` and `RateLimit-Policy` of the IETF draft in the form of its later versions
 * (draft-ietf-httpapi-ratelimit-headers-08 to -11), `"default";r=50;t=30`, and of the earlier ones,
 * `limit=100, remaining=50, reset=30`. Pure.
 */
import { parseDictionary, parseList } from 'structured-headers';
import type { LimitFields } from './limit-fields.ts';

/** One quota of the backend's, as the two fields together say it; undefined is what neither says. */
export interface RateLimitQuota {
  readonly name: string;
  readonly remaining: number;
  readonly resetSeconds: number | undefined;
  readonly limit: number | undefined;
  readonly windowSeconds: number | undefined;
  /** False for what counts bytes, or calls under way. */
  readonly isOfRequests: boolean;
}

export function rateLimitOf(fields: LimitFields): RateLimitQuota[] {
  const text = fields.get('ratelimit');
  if (text === undefined) return [];
  const policies = policiesOf(fields);
  const early = dictionaryOf(text);
  if (early.has('remaining') || early.has('reset')) {
    return quotaOf({ name: '', parameters: early }, { remaining: 'remaining', reset: 'reset' }, policies);
  }
  return itemsOf(text).flatMap((item) => quotaOf(item, { remaining: 'r', reset: 't' }, policies));
}

/** What is not the number that it should be says nothing, least of all that nothing is left. */
function quotaOf(
  { name, parameters }: Item,
  names: { readonly remaining: string; readonly reset: string },
  policies: readonly Item[],
): RateLimitQuota[] {
  const remaining = numberOf(parameters.get(names.remaining));
  const resetSeconds = numberOf(parameters.get(names.reset));
  if (remaining === undefined || (parameters.has(names.reset) && resetSeconds === undefined)) return [];
  const policy = policies.find((each) => each.name === name) ?? (policies.length === 1 ? policies[0] : undefined);
  // The earlier form says the limit itself.
  const limit = numberOf(parameters.get('limit')) ?? (policy && limitOf(policy));
  const windowSeconds = numberOf(policy?.parameters.get('w'));
  const isOfRequests = (policy?.parameters.get('qu') ?? 'requests') === 'requests';
  return [{ name, remaining, resetSeconds, limit, windowSeconds, isOfRequests }];
}

function policiesOf(fields: LimitFields): Item[] {
  return itemsOf(fields.get('ratelimit-policy') ?? '').filter((policy) => limitOf(policy) !== undefined);
}

function limitOf({ name, parameters }: Item): number | undefined {
  return numberOf(parameters.get('q')) ?? (/^\d+$/.test(name) ? Number(name) : undefined);
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
