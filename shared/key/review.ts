/**
 * What is wrong with API keys as they are given, by the names of their variables. The plan of a deploy and `npm start`
 * refuse them, a consumer leaves them out, and all say the same words. Pure; no message holds a value.
 */

const KEY_VALUE = /^[\x21-\x7e]+$/;

/** Header values that `fetch` sends as they are. */
export function isKeyValue(value: string): boolean {
  return KEY_VALUE.test(value);
}

export function oddKeyText(names: readonly string[]): string {
  return `${names.join(', ')}: a key is printable ASCII without spaces`;
}

export function sharedKeyText(names: readonly string[]): string {
  return `${names.join(' and ')} hold the same key, which would be called more often than its limits allow; remove one`;
}

/** @param textOf of the variables `names`; those without a value are left out */
export function keyProblems(names: readonly string[], textOf: (name: string) => string | undefined): string[] {
  const present = names.filter((name) => (textOf(name) ?? '') !== '');
  const shared = [...Map.groupBy(present, textOf).values()].filter((same) => same.length > 1);
  const odd = present.filter((name) => !isKeyValue(textOf(name) ?? ''));
  return [...shared.map(sharedKeyText), ...(odd.length > 0 ? [oddKeyText(odd)] : [])];
}
