/** JSON that somebody else wrote: it may be none. Pure. */

/** @returns what the text says; undefined when it is no JSON, which nothing in JSON is */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
