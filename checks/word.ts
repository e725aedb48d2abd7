/**
 * Finds retired names in identifiers and in the names of files, and retired words in prose. A name is compared by its
 * words, however it is written: `KeyCase`, `keyCase`, `KEY_CASE` and `key-case` are two words. Most of these words are
 * plain English in a comment; those that are not have a list of their own. Pure.
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

/** What is wrong with the words of a comment or a page, each with its line in it, from 0. */
export function problemsOfProse(prose: string, retired: readonly RetiredName[]): { line: number; problem: string }[] {
  return prose.split('\n').flatMap((text, line) => {
    const words = new Set(text.toLowerCase().match(/[\p{L}\p{N}_]+/gu));
    return retired
      .filter(({ not }) => words.has(not))
      .map(({ not, but }) => ({ line, problem: `"${not}" is retired; say ${but}` }));
  });
}

/** A name that is kept although no file uses it is left over. */
export function leftOverKept(names: ReadonlySet<string>, kept: readonly KeptName[]): string[] {
  return kept.filter(({ name }) => !names.has(name)).map(({ name }) => `${name} is kept in word-list.ts and not used`);
}
