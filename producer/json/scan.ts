/**
 * Looking at JSON text without parsing it: how deep it nests, where it breaks, and which text stands at
 * which member. Pure, and without recursion, so that no input can exhaust the stack.
 */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** True when arrays and objects nest deeper than `maxDepth`; text that is not JSON may say either. */
export function nestsDeeperThan(text: string, maxDepth: number): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = closingQuote(text, at);
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        depth++;
        if (depth > maxDepth) return true;
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        depth--;
        break;
    }
  }
  return false;
}

/**
 * The text of the member of this name; of equal names the last, as `JSON.parse` has it.
 * @param text valid JSON; what is not an object has no members
 */
export function memberText(text: string, name: string): string | undefined {
  let found: string | undefined;
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN_BRACE) return undefined;
  at = skipSpace(text, at + 1);
  while (at < text.length && text.charCodeAt(at) !== CLOSE_BRACE) {
    const nameEnd = closingQuote(text, at);
    const start = skipSpace(text, skipSpace(text, nameEnd + 1) + 1);
    const end = valueEnd(text, start);
    if (unescaped(text.slice(at + 1, nameEnd)) === name) found = text.slice(start, end);
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return found;
}

function unescaped(name: string): string {
  return name.includes('\\') ? JSON.parse(`"${name}"`) : name;
}

/** The text of each element of an array. @param text valid JSON; what is not an array has no elements */
export function elementTexts(text: string): string[] {
  const elements: string[] = [];
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN_BRACKET) return elements;
  at = skipSpace(text, at + 1);
  while (at < text.length && text.charCodeAt(at) !== CLOSE_BRACKET) {
    const end = valueEnd(text, at);
    elements.push(text.slice(at, end));
    at = skipSpace(text, end);
    if (text.charCodeAt(at) === COMMA) at = skipSpace(text, at + 1);
  }
  return elements;
}

/** Where the value that starts at `start` ends, in valid JSON. */
function valueEnd(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = closingQuote(text, at);
        if (depth === 0) return at + 1;
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        depth++;
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        // The end of what holds a number or a word.
        if (depth === 0) return at;
        depth--;
        if (depth === 0) return at + 1;
        break;
      case COMMA:
      case 0x20:
      case 0x09:
      case 0x0a:
      case 0x0d:
        if (depth === 0) return at;
        break;
    }
  }
  return text.length;
}

/** Where the closing quote stands of the string that opens at `start`; the text's end when it has none. */
function closingQuote(text: string, start: number): number {
  // Strings without a quote in them are nearly all, and the runtime looks faster than a loop.
  const first = text.indexOf('"', start + 1);
  if (first < 0) return text.length;
  if (text.charCodeAt(first - 1) !== BACKSLASH) return first;
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at++;
  }
  return text.length;
}

/** The first place from `at` on that is not white space, as JSON knows it. */
function skipSpace(text: string, at: number): number {
  let next = at;
  while (isSpace(text.charCodeAt(next))) next++;
  return next;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

type Expected = 'value' | 'value or end' | 'name' | 'name or end' | 'colon' | 'comma or end';

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** Where text stops being JSON (RFC 8259): at its end when more was to come; undefined when it is JSON. */
export function faultPosition(text: string): number | undefined {
  const open: number[] = [];
  let expected: Expected = 'value';
  let at = skipSpace(text, 0);
  for (; at < text.length || expected !== 'comma or end' || open.length > 0; at = skipSpace(text, at)) {
    const code = text.charCodeAt(at);
    const inObject = open.at(-1) === OPEN_BRACE;
    if (expected === 'comma or end') {
      if (open.length > 0 && code === COMMA) expected = inObject ? 'name' : 'value';
      else if (code === (inObject ? CLOSE_BRACE : CLOSE_BRACKET) && open.length > 0) open.pop();
      else return at;
      at++;
    } else if (expected === 'colon') {
      if (code !== COLON) return at;
      expected = 'value';
      at++;
    } else if (isEndHere(expected, code)) {
      open.pop();
      expected = 'comma or end';
      at++;
    } else if (expected === 'name' || expected === 'name or end') {
      const end = stringEnd(text, at);
      if (end.fault !== undefined) return end.fault;
      at = end.at;
      expected = 'colon';
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      open.push(code);
      expected = code === OPEN_BRACE ? 'name or end' : 'value or end';
      at++;
    } else {
      const end = scalarEnd(text, at, code);
      if (end.fault !== undefined) return end.fault;
      at = end.at;
      expected = 'comma or end';
    }
  }
  return undefined;
}

function isEndHere(expected: Expected, code: number): boolean {
  return (
    (expected === 'name or end' && code === CLOSE_BRACE) || (expected === 'value or end' && code === CLOSE_BRACKET)
  );
}

type End = { readonly at: number; readonly fault?: undefined } | { readonly fault: number };

function scalarEnd(text: string, start: number, code: number): End {
  if (code === QUOTE) return stringEnd(text, start);
  for (const pattern of [NUMBER, WORD]) {
    pattern.lastIndex = start;
    if (pattern.test(text)) return { at: pattern.lastIndex };
  }
  return { fault: start };
}

function stringEnd(text: string, start: number): End {
  if (text.charCodeAt(start) !== QUOTE) return { fault: start };
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return { at: at + 1 };
    if (code < 0x20) return { fault: at };
    if (code === BACKSLASH) {
      ESCAPE.lastIndex = at;
      if (!ESCAPE.test(text)) return { fault: at };
      at = ESCAPE.lastIndex - 1;
    }
  }
  return { fault: text.length };
}
