/**
 * What can be said of JSON text before and after it is parsed: how deep it nests, and where it breaks.
 * Pure, and without recursion, so that no input can exhaust the stack.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** True when arrays and objects nest deeper than `maxDepth`; text that is not JSON may say either. */
export function nestsDeeperThan(text: string, maxDepth: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case 0x5b: // [
      case 0x7b: // {
        depth++;
        if (depth > maxDepth) return true;
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
    }
  }
  return false;
}

/** Where the closing quote stands of the string that opens at `start`; the text's end when it has none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at++;
  }
  return text.length;
}

/** Why `text` is not JSON, with the line and column where the parser knows them; undefined when it is. */
export function syntaxFault(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return place(text, error instanceof Error ? error.message : '');
  }
}

function place(text: string, message: string): string {
  if (text.trim() === '') return 'The body is empty; send a JSON object.';
  const position = /end of JSON|[Uu]nterminated/.test(message) ? text.length : positionIn(message);
  if (position === undefined) return 'The body is not valid JSON.';
  const before = text.slice(0, position).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  return `The body is not valid JSON: it breaks at line ${before.length}, column ${column}.`;
}

function positionIn(message: string): number | undefined {
  const digits = /at position (\d+)/.exec(message)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
