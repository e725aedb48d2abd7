/**
 * Finds this consumer's API keys in its environment. A consumer takes every key it finds; which keys
 * a shard is given is the deployment plan's business. What leaves this file besides the ring itself
 * names variables and fingerprints, never a value.
 */
import * as z from 'zod';
import { toHex } from '../../../shared/crypto/hex.ts';
import { jsonOfVariable } from '../../../shared/env.ts';
import { inOrder, keyNameOf, poolNameOf } from '../../../shared/key/name.ts';
import { isKeyValue, oddKeyText, sharedKeyText } from '../../../shared/key/review.ts';
import type { KeyFingerprint } from '../../../shared/key/rpc.ts';

export interface KeyRing {
  /** Values by pool and number, in the order of their numbers. */
  readonly pools: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /** Names of the groups that share a quota, by pool and number. */
  readonly groups: ReadonlyMap<string, ReadonlyMap<number, string>>;
  /** What was left out and why, by the variables' names. */
  readonly problems: readonly string[];
}

/**
 * The variable `KEY_GROUPS`: which keys share a quota (one organisation's, one project's), by pool,
 * a name of one's own, and the keys' numbers: `{ "default": { "org-a": [1, 2, 3] } }`.
 */
export const KeyGroupsSchema = z
  .preprocess(
    (value) => (value === '' ? {} : jsonOfVariable(value ?? {})),
    z.record(z.string(), z.record(z.string(), z.array(z.number().int().positive())), {
      error: 'is an object such as { "default": { "org-a": [1, 2, 3] } }',
    }),
  )
  .default({});
export type KeyGroups = z.output<typeof KeyGroupsSchema>;

export function discoverKeys(bindings: Readonly<Record<string, unknown>>, groups: KeyGroups = {}): KeyRing {
  const pools = new Map<string, Map<number, string>>();
  const problems: string[] = [];
  const variableOf = new Map<string, string>();
  for (const { variable, value, name } of keysIn(bindings)) {
    if (!isKeyValue(value)) {
      problems.push(`not used: ${oddKeyText([variable])}`);
      continue;
    }
    const same = variableOf.get(value);
    if (same !== undefined) {
      // Used twice it would be called twice as often as its limits allow.
      problems.push(`${variable} is not used: ${sharedKeyText([same, variable])}`);
      continue;
    }
    variableOf.set(value, variable);
    const pool = pools.get(name.pool) ?? new Map<number, string>();
    pools.set(name.pool, pool.set(name.number, value));
  }
  return { pools, groups: groupsByNumber(groups), problems };
}

/** Every key that was given, those that are left out among them. */
export function keyFingerprints(bindings: Readonly<Record<string, unknown>>): Promise<KeyFingerprint[]> {
  return Promise.all(
    keysIn(bindings).map(async ({ variable, value, name: { pool } }) => ({
      variable,
      pool,
      fingerprint: await fingerprintOf(value, COMPARED_DIGITS),
    })),
  );
}

function keysIn(bindings: Readonly<Record<string, unknown>>) {
  const named = Object.entries(bindings).flatMap(([variable, binding]) => {
    const name = keyNameOf(variable);
    const value = typeof binding === 'string' ? binding.trim() : '';
    return name === undefined || value === '' ? [] : [{ variable, value, name }];
  });
  return named.sort((a, b) => inOrder(a.name, b.name));
}

function groupsByNumber(groups: KeyGroups): Map<string, Map<number, string>> {
  return new Map(
    Object.entries(groups).map(([pool, named]) => [
      poolNameOf(pool),
      new Map(
        Object.entries(named).flatMap(([name, numbers]) => numbers.map((number) => [number, `group ${name}`] as const)),
      ),
    ]),
  );
}

/** Keeps fingerprints from being looked up in a table of hashed keys made for another purpose. */
const FINGERPRINT_LABEL = 'tasklane key fingerprint 1\n';

/** Enough to call two keys the same among thousands, where eight might err. */
const COMPARED_DIGITS = 16;

/** Hexadecimal digits by which people tell keys apart: a hash, never a part of the key. */
export async function fingerprintOf(value: string, digits = 8): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(FINGERPRINT_LABEL + value));
  return toHex(new Uint8Array(digest)).slice(0, digits);
}
