/**
 * The fields `RateLimit` and `RateLimit-Policy` of the IETF draft (draft-ietf-httpapi-ratelimit-headers),
 * in the form of its later versions, `"default";r=50;t=30`, and of the earlier ones,
 * `limit=100, remaining=50, reset=30`. Pure.
 */

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
  const early = parametersOf(text, ',');
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

/** One member of a structured list (RFC 9651): a string, token or number with parameters. */
const MEMBER =
  /[ \t]*(?:"((?:[^"\\]|\\["\\])*)"|([A-Za-z*][\w!#$%&'*+\-.^`|~:/]*|\d+(?:\.\d+)?))((?:[ \t]*;[ \t]*[a-z*][a-z0-9_\-.*]*(?:=(?:"(?:[^"\\]|\\["\\])*"|-?\d+(?:\.\d+)?|\?[01]|:[A-Za-z0-9+/=]*:|[A-Za-z*][\w!#$%&'*+\-.^`|~:/]*))?)*)[ \t]*(,|$)/y;

/** A field that is malformed anywhere is ignored as a whole, as RFC 9651 asks. */
function itemsOf(text: string): { readonly name: string; readonly parameters: ReadonlyMap<string, number> }[] {
  const items: { readonly name: string; readonly parameters: ReadonlyMap<string, number> }[] = [];
  for (MEMBER.lastIndex = 0; MEMBER.lastIndex < text.length; ) {
    const [whole, quoted, plain, parameters = '', end] = MEMBER.exec(text) ?? [];
    if (whole === undefined || whole === '') return [];
    items.push({ name: quoted ?? plain ?? '', parameters: parametersOf(parameters, ';') });
    if (end === '' && MEMBER.lastIndex < text.length) return [];
  }
  return items;
}

function parametersOf(text: string, separator: string): Map<string, number> {
  const parameters = new Map<string, number>();
  for (const part of text.split(separator)) {
    const match = /^\s*([a-z]+)\s*=\s*"?(\d+(?:\.\d+)?)"?\s*$/i.exec(part);
    if (match !== null) parameters.set((match[1] ?? '').toLowerCase(), Number(match[2]));
  }
  return parameters;
}
