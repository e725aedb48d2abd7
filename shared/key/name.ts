/**
 * How API keys are named in the environment: `KEY1`, `KEY2`, … belong to the pool `default`,
 * `KEY_<POOL>_1`, `KEY_<POOL>_2`, … to the pool of that name in lower case. Pure.
 */

export const DEFAULT_POOL = 'default';

/** Pools as services name them; a dash is written as an underscore in the environment. */
export const POOL_NAME_PATTERN = /^[a-z][a-z0-9_-]*$/;

const KEY_VARIABLE = /^KEY(?:_([A-Z][A-Z0-9_]*)_)?([1-9]\d{0,5})$/;

export interface KeyName {
  readonly pool: string;
  /** As in the variable's name: from 1, gaps are fine. */
  readonly number: number;
}

/** @returns undefined for a variable that is not a key's */
export function keyNameOf(variable: string): KeyName | undefined {
  const match = KEY_VARIABLE.exec(variable);
  if (match === null) return undefined;
  return { pool: match[1]?.toLowerCase() ?? DEFAULT_POOL, number: Number(match[2]) };
}

/** The pool that a service means. */
export function poolNameOf(keyPool: string): string {
  return keyPool.replaceAll('-', '_');
}

/** How a key is called where people read it: `3`, or `gemini-3` in another pool than the default. */
export function keyLabel({ pool, number }: KeyName): string {
  return pool === DEFAULT_POOL ? String(number) : `${pool}-${number}`;
}

/** The key that a label means, or undefined when it is none. */
export function keyOfLabel(label: string): KeyName | undefined {
  const match = /^(?:([a-z][a-z0-9_]*)-)?([1-9]\d{0,5})$/.exec(label);
  return match === null ? undefined : { pool: match[1] ?? DEFAULT_POOL, number: Number(match[2]) };
}

/** The default pool first: of two names for a key, the simpler one is used. */
export function inOrder(a: KeyName, b: KeyName): number {
  if (a.pool === b.pool) return a.number - b.number;
  if (a.pool === DEFAULT_POOL || b.pool === DEFAULT_POOL) return a.pool === DEFAULT_POOL ? -1 : 1;
  return a.pool < b.pool ? -1 : 1;
}
