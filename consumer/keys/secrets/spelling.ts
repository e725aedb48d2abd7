/**
 * How one character may be written in a text: as itself, or escaped as in JSON and program text, in a
 * URL, in HTML, or in a mail, and each sign of such an escape may be escaped again. Deterministic,
 * without I/O: a `Speller` reads a text that may go on later, and says when it met its end.
 */

/** What a place in the text may stand for, and where the text goes on after it. */
export interface Reading {
  readonly code: number;
  readonly end: number;
}

/** An escape of an escape of an escape: a key in JSON, inside JSON, inside a URL. */
const MAX_DEPTH = 3;

const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const AMPERSAND = 0x26;
const EQUALS = 0x3d;

/** Leading zeros included: `&#0000115;`. */
const MAX_DIGITS = 8;
const MAX_NAME = 8;

const LETTER_ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, b: 8, f: 12, v: 11 };

/** Names of HTML for what is printable ASCII and not a letter or digit. */
const ENTITIES: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  sol: '/',
  plus: '+',
  equals: '=',
  lowbar: '_',
  underbar: '_',
  period: '.',
  colon: ':',
  semi: ';',
  comma: ',',
  num: '#',
  dollar: '$',
  percnt: '%',
  ast: '*',
  midast: '*',
  excl: '!',
  quest: '?',
  commat: '@',
  lpar: '(',
  rpar: ')',
  lsqb: '[',
  lbrack: '[',
  rsqb: ']',
  rbrack: ']',
  lcub: '{',
  lbrace: '{',
  rcub: '}',
  rbrace: '}',
  bsol: '\\',
  verbar: '|',
  vert: '|',
  grave: '`',
  hat: '^',
  hyphen: '-',
  dash: '-',
  tilde: '~',
  nbsp: ' ',
  tab: '\t',
  newline: '\n',
};

export function startsEscape(code: number): boolean {
  return code === BACKSLASH || code === PERCENT || code === AMPERSAND || code === EQUALS;
}

export class Speller {
  readonly text: string;
  /** The text ended inside what may be more than was read: only with more of it can one know. */
  metEnd = false;

  constructor(text: string) {
    this.text = text;
  }

  /** All that stands at `at`: the character itself, and what it may be the escape of. */
  readingsAt(at: number, depth = MAX_DEPTH): Reading[] {
    if (at >= this.text.length) {
      this.metEnd = true;
      return [];
    }
    const code = this.text.charCodeAt(at);
    const readings = [{ code, end: at + 1 }];
    if (depth > 0 && startsEscape(code)) this.#addEscapes(at, depth - 1, readings);
    return readings;
  }

  #addEscapes(at: number, depth: number, readings: Reading[]): void {
    // The sign that begins the escape may be escaped itself.
    for (const lead of this.readingsAt(at, depth)) {
      if (lead.code === PERCENT || lead.code === EQUALS) this.#addHex(lead.end, 2, depth, readings);
      else if (lead.code === BACKSLASH) this.#addBackslashed(lead.end, depth, readings);
      else if (lead.code === AMPERSAND) this.#addEntity(lead.end, depth, readings);
    }
  }

  #addHex(at: number, digits: number, depth: number, readings: Reading[]): void {
    for (const { value, end } of this.#numbersAt(at, 16, digits, digits, depth)) readings.push({ code: value, end });
  }

  #addBackslashed(at: number, depth: number, readings: Reading[]): void {
    for (const { code, end } of this.readingsAt(at, depth)) {
      const char = String.fromCharCode(code);
      if (char === 'u') {
        this.#addHex(end, 4, depth, readings);
        this.#addBraced(end, depth, readings);
      } else if (char === 'x') {
        this.#addHex(end, 2, depth, readings);
        this.#addBraced(end, depth, readings);
      } else if (char === 'U') {
        this.#addHex(end, 8, depth, readings);
      } else if (char >= '0' && char <= '7') {
        for (const octal of this.#numbersAt(at, 8, 1, 3, depth)) readings.push({ code: octal.value, end: octal.end });
      }
      readings.push({ code: LETTER_ESCAPES[char] ?? code, end });
      if (char in LETTER_ESCAPES) readings.push({ code, end });
    }
  }

  /** `\u{73}` */
  #addBraced(at: number, depth: number, readings: Reading[]): void {
    for (const open of this.readingsAt(at, depth)) {
      if (open.code !== 0x7b) continue;
      for (const { value, end } of this.#numbersAt(open.end, 16, 1, MAX_DIGITS, depth)) {
        for (const close of this.readingsAt(end, depth)) {
          if (close.code === 0x7d) readings.push({ code: value, end: close.end });
        }
      }
    }
  }

  #addEntity(at: number, depth: number, readings: Reading[]): void {
    for (const { code, end } of this.readingsAt(at, depth)) {
      if (code === 0x23) this.#addNumericEntity(end, depth, readings);
      else if (isLetter(code)) this.#addNamedEntity(at, depth, readings);
    }
  }

  #addNumericEntity(at: number, depth: number, readings: Reading[]): void {
    for (const { code, end } of this.readingsAt(at, depth)) {
      const numbers =
        code === 0x78 || code === 0x58
          ? this.#numbersAt(end, 16, 1, MAX_DIGITS, depth)
          : this.#numbersAt(at, 10, 1, MAX_DIGITS, depth);
      for (const number of numbers) this.#addWithSemicolon(number.value, number.end, depth, readings);
    }
  }

  #addNamedEntity(at: number, depth: number, readings: Reading[]): void {
    let name = '';
    let end = at;
    while (name.length <= MAX_NAME) {
      const letter = this.readingsAt(end, depth).find(({ code }) => isLetter(code));
      if (letter === undefined) break;
      name += String.fromCharCode(letter.code).toLowerCase();
      end = letter.end;
      const char = Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined;
      if (char !== undefined) this.#addWithSemicolon(char.charCodeAt(0), end, depth, readings);
    }
  }

  /** Browsers do without the semicolon. */
  #addWithSemicolon(code: number, at: number, depth: number, readings: Reading[]): void {
    readings.push({ code, end: at });
    for (const next of this.readingsAt(at, depth)) {
      if (next.code === 0x3b) readings.push({ code, end: next.end });
    }
  }

  /** Numbers of at least `min` and at most `max` digits that begin at `at`: one for each length. */
  #numbersAt(at: number, base: 8 | 10 | 16, min: number, max: number, depth: number): { value: number; end: number }[] {
    const numbers: { value: number; end: number }[] = [];
    let value = 0;
    let end = at;
    for (let digits = 1; digits <= max; digits++) {
      const digit = this.readingsAt(end, depth).find(({ code }) => digitOf(code) < base);
      if (digit === undefined) break;
      value = value * base + digitOf(digit.code);
      end = digit.end;
      if (digits >= min) numbers.push({ value, end });
    }
    return numbers;
  }
}

function isLetter(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  if (code >= 0x41 && code <= 0x46) return code - 0x37;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return Number.POSITIVE_INFINITY;
}
