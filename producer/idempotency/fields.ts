/**
 * What a submission said, as a hash of each of its members: enough to tell whether a repeat says the same, and
 * where it differs, without keeping what was said. White space and the order of members do not count. Pure.
 */
import { toHex } from '../../shared/crypto/hex.ts';
import { JsonText } from '../json/json-text.ts';

/** Hashes by the name of the member, sorted by name. */
export type Fields = readonly (readonly [name: string, hash: string])[];

/** 64 bits: who finds two bodies with the same hash only fools their own key. */
const HASH_BYTES = 8;

const encoder = new TextEncoder();

/** @param submission a JSON object; members that are absent or undefined say nothing */
export async function fieldsOf(submission: object): Promise<Fields> {
  const members = Object.entries(submission).filter(
    ([name, value]) => name !== 'idempotencyKey' && value !== undefined,
  );
  const fields = members.map(async ([name, value]) => [name, await hashOf(canonicalJson(value))] as const);
  return (await Promise.all(fields)).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** JSON pointers to the members that differ, empty when both say the same. */
export function differences(one: Fields, other: Fields): string[] {
  const [first, second] = [new Map(one), new Map(other)];
  const names = [...new Set([...first.keys(), ...second.keys()])].sort();
  return names.filter((name) => first.get(name) !== second.get(name)).map((name) => `/${name}`);
}

/** JSON without white space and with members in order; as deep as bodies may nest, which is bounded. */
function canonicalJson(value: unknown): string {
  if (value instanceof JsonText) return canonicalJson(withNumbersAsText(value.text));
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`).join(',')}}`;
}

/** The third argument is newer than the library's types. */
type ParseWithSource = (
  text: string,
  reviver: (name: string, value: unknown, context: { readonly source?: string }) => unknown,
) => unknown;

/** Numbers count as they are written: two that differ beyond double precision are two. */
function withNumbersAsText(text: string): unknown {
  return (JSON.parse as ParseWithSource)(text, (_, value, { source }) =>
    typeof value === 'number' ? `number ${source}` : value,
  );
}

async function hashOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', encoder.encode(text));
  return toHex(new Uint8Array(digest, 0, HASH_BYTES));
}
