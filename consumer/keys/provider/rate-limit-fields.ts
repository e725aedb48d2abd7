/**
 * The fields `RateLimit` and `RateLimit-Policy` of the IETF draft in the form of its later versions
 * (draft-ietf-httpapi-ratelimit-headers-08 to -11), `"default";r=50;t=30`, and of the earlier ones,
 * `limit=100, remaining=50, reset=30`. Pure.
 */
import { parseDictionary, parseList } from 'structured-headers';
import { amountOf } from './duration.ts';
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
  const early = earlyItemOf(text);
  return (early === undefined ? itemsOf(text) : [early]).flatMap((item) => quotaOf(item, policies));
}

/** What is not the number that it should be says nothing, least of all that nothing is left. */
function quotaOf({ name, parameters }: Item, policies: readonly Item[]): RateLimitQuota[] {
  // The earlier form spells out what the later ones abbreviate, and says the limit itself.
  const reset = parameters.get('t') ?? parameters.get('reset');
  const resetSeconds = numberOf(reset);
  const remaining = numberOf(parameters.get('r') ?? parameters.get('remaining'));
  if (remaining === undefined || (reset !== undefined && resetSeconds === undefined)) return [];
  const policy = policies.find((each) => each.name === name) ?? (policies.length === 1 ? policies[0] : undefined);
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

function earlyItemOf(text: string): Item | undefined {
  const early = ifWellFormed(() => parseDictionary(text), new Map());
  if (!early.has('remaining') && !early.has('reset')) return undefined;
  return { name: '', parameters: new Map(Array.from(early, ([key, [value]]) => [key, value])) };
}

/** All of them are integers that are not negative; some write them as strings. */
function numberOf(value: unknown): number | undefined {
  const number = amountOf(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

function ifWellFormed<Value>(parse: () => Value, otherwise: Value): Value {
  try {
    return parse();
  } catch {
    return otherwise;
  }
}
