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

/** An escape of an escape of an escape, and so on: a key in JSON, inside JSON, inside a URL, inside JSON. */
const MAX_DEPTH = 5;

const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const AMPERSAND = 0x26;
const EQUALS = 0x3d;

/** Leading zeros not included: `&#0000115;`. */
const MAX_DIGITS = 8;
const MAX_LEADING_ZEROS = 64;
const MAX_NAME = 8;
const MAX_STYLESHEET_DIGITS = 6;

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

/** A longer run of backslashes spells, but for its end, only backslashes. */
export const MAX_BACKSLASHES = 2 ** MAX_DEPTH;

export function startsEscape(code: number): boolean {
  return code === BACKSLASH || code === PERCENT || code === AMPERSAND || code === EQUALS;
}

/**
 * A text that is full of escapes of escapes would cost seconds: when it has cost so much a character, the rest of
 * it is read less deep. What programs write stays far below.
 */
const STEPS_A_CHARACTER = 20;
const FREE_STEPS = 20_000;
const DEPTH_OF_THE_REST = 2;

/** So many places are kept; a text is read forwards. */
const MAX_KEPT = 20_000;

interface Kept {
  readonly readings: Reading[];
  readonly metEnd: boolean;
}

export class Speller {
  readonly text: string;
  /** By place and depth: signs of escapes are met again and again, by every escape around them. */
  readonly #kept = new Map<number, Kept>();
  #stepsLeft: number;
  /** The text ended inside what may be more than was read: only with more of it can one know. */
  metEnd = false;

  constructor(text: string) {
    this.text = text;
    this.#stepsLeft = FREE_STEPS + STEPS_A_CHARACTER * text.length;
  }

  /** All that stands at `at`: the character itself, and what it may be the escape of. */
  readingsAt(at: number, wanted = MAX_DEPTH): Reading[] {
    if (at >= this.text.length) {
      this.metEnd = true;
      return [];
    }
    const code = this.text.charCodeAt(at);
    const depth = this.#stepsLeft > 0 ? wanted : Math.min(wanted, DEPTH_OF_THE_REST);
    if (depth === 0 || !startsEscape(code)) return [{ code, end: at + 1 }];
    const place = at * (MAX_DEPTH + 1) + depth;
    const known = this.#kept.get(place);
    if (known !== undefined) {
      this.metEnd ||= known.metEnd;
      return known.readings;
    }
    const metBefore = this.metEnd;
    this.metEnd = false;
    const found = [{ code, end: at + 1 }];
    this.#addEscapes(at, depth - 1, found);
    this.#stepsLeft -= found.length;
    const readings = found.length === 1 ? found : distinct(found);
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(place, { readings, metEnd: this.metEnd });
    this.metEnd ||= metBefore;
    return readings;
  }

  #addEscapes(at: number, depth: number, readings: Reading[]): void {
    // The sign that begins the escape may be escaped itself.
    for (const lead of this.readingsAt(at, depth)) {
      if (lead.code === PERCENT || lead.code === EQUALS) {
        this.#addHex(lead.end, 2, depth, readings);
        // `%u0073`, as scripts of old wrote it.
        if (lead.code === PERCENT) {
          for (const { code, end } of this.readingsAt(lead.end, depth)) {
            if (isU(code)) this.#addHex(end, 4, depth, readings);
          }
        }
      } else if (lead.code === BACKSLASH) this.#addBackslashed(lead.end, lead.end - at, depth, readings);
      else if (lead.code === AMPERSAND) this.#addEntity(lead.end, depth, readings);
    }
  }

  #addHex(at: number, digits: number, depth: number, readings: Reading[]): void {
    for (const { value, end } of this.#numbersAt(at, 16, digits, digits, depth)) readings.push({ code: value, end });
  }

  /** @param width of the backslash: whoever escapes one writes two of a kind */
  #addBackslashed(at: number, width: number, depth: number, readings: Reading[]): void {
    for (const { code, end } of this.readingsAt(at, depth)) {
      if (code === BACKSLASH && end - at !== width) continue;
      const char = String.fromCharCode(code);
      if (char === 'u') {
        this.#addHex(end, 4, depth, readings);
        this.#addBraced(end, depth, readings);
      } else if (char === 'x') {
        this.#addHex(end, 2, depth, readings);
        this.#addBraced(end, depth, readings);
      } else if (char === 'U') {
        this.#addHex(end, 8, depth, readings);
      }
      if (digitOf(code) < 16) this.#addStylesheetEscape(at, depth, readings);
      if (char >= '0' && char <= '7') {
        for (const octal of this.#numbersAt(at, 8, 1, 3, depth)) readings.push({ code: octal.value, end: octal.end });
      }
      readings.push({ code: LETTER_ESCAPES[char] ?? code, end });
      if (char in LETTER_ESCAPES) readings.push({ code, end });
    }
  }

  /** `\73 k`, as CSS.escape writes a digit that comes first (CSS Syntax, section 4.3.7). */
  #addStylesheetEscape(at: number, depth: number, readings: Reading[]): void {
    for (const [index, { value, end }] of this.#numbersAt(at, 16, 1, MAX_STYLESHEET_DIGITS, depth).entries()) {
      if (value < 0x20 || value > 0x7e) continue;
      readings.push({ code: value, end });
      // A blank ends a number that may go on.
      if (index === MAX_STYLESHEET_DIGITS - 1) continue;
      for (const next of this.readingsAt(end, depth)) {
        if (next.code === 0x20 || next.code === 9 || next.code === 10) readings.push({ code: value, end: next.end });
      }
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
    let zeros = min === max ? MAX_LEADING_ZEROS : 0;
    for (let digits = 1; digits <= max; ) {
      const digit = this.readingsAt(end, depth).find(({ code }) => digitOf(code) < base);
      if (digit === undefined) break;
      value = value * base + digitOf(digit.code);
      end = digit.end;
      if (digits >= min) numbers.push({ value, end });
      // Where the number of digits is open, zeros before it are none.
      if (max === MAX_DIGITS && value === 0 && zeros < MAX_LEADING_ZEROS) zeros += 1;
      else digits += 1;
    }
    return numbers;
  }
}

/** Different escapes of one sign may end at one place. */
function distinct(readings: readonly Reading[]): Reading[] {
  const seen = new Set<number>();
  return readings.filter(({ code, end }) => {
    const sign = end * 0x110000 + code;
    if (seen.has(sign)) return false;
    seen.add(sign);
    return true;
  });
}

function isU(code: number): boolean {
  return code === 0x75 || code === 0x55;
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
