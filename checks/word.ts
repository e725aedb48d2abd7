/**
 * Finds retired names in identifiers and in the names of files. A name is compared by its words,
 * however it is written: `KeyCase`, `keyCase`, `KEY_CASE` and `key-case` are two words. Comments and
 * texts are not looked at: there the same words are English. Pure.
 */
import type { KeptName, RetiredName } from './word-list.ts';

/** `registry-door.ts`, `RegistryDoor` and `REGISTRY_DOOR` are `registry door`. */
export function wordsOf(name: string): string[] {
  return (name.match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+/gu) ?? []).map((word) => word.toLowerCase());
}

function isRetired(name: string, words: readonly string[], { not }: RetiredName): boolean {
  if (not !== not.toLowerCase()) return name === not;
  return ` ${words.join(' ')} `.includes(` ${not} `);
}

/** What is wrong with this name; undefined when nothing is. */
export function problemOfName(
  name: string,
  retired: readonly RetiredName[],
  kept: readonly KeptName[],
): string | undefined {
  if (kept.some((each) => each.name === name)) return undefined;
  const words = wordsOf(name);
  const found = retired.find((each) => isRetired(name, words, each));
  return found && `${name}: "${found.not}" is retired; say ${found.but}`;
}

/** A name that is kept although no file uses it is left over. */
export function leftOverKept(names: ReadonlySet<string>, kept: readonly KeptName[]): string[] {
  return kept.filter(({ name }) => !names.has(name)).map(({ name }) => `${name} is kept in word-list.ts and not used`);
}
