/**
 * How one character may be written in a text: as itself, or escaped as in JSON and program text, in a
 * URL, in HTML, or in a mail, and each sign of such an escape may be escaped again. Deterministic,
 * without I/O: a `Speller` reads a text that may go on later, and says when it met its end.
 */
import { BACKSLASH, isDigit, isLetter } from './ascii.ts';

/** What a place in the text may stand for, and where the text goes on after it. */
export interface Reading {
  readonly code: number;
  readonly end: number;
}

/** An escape of an escape of an escape, and so on: a key in JSON, inside JSON, inside a URL, inside JSON. */
const MAX_DEPTH = 5;

const AMPERSAND = 0x26;

/** An escape that gives the character's number. */
interface NumericEscape {
  readonly begins: string;
  readonly base: 8 | 10 | 16;
  /** At least and at most. */
  readonly digits: readonly [number, number];
  /** Signs of which one may end it. */
  readonly end?: string;
}

/** Where zeros may come before the number: `&#0000115;`. */
const ANY_DIGITS = [1, 72] as const;

const NUMERIC_ESCAPES: readonly NumericEscape[] = [
  // JSON and program text.
  { begins: '\\u', base: 16, digits: [4, 4] },
  { begins: '\\U', base: 16, digits: [8, 8] },
  { begins: '\\x', base: 16, digits: [2, 2] },
  { begins: '\\u{', base: 16, digits: ANY_DIGITS, end: '}' },
  { begins: '\\x{', base: 16, digits: ANY_DIGITS, end: '}' },
  { begins: '\\', base: 8, digits: [1, 3] },
  // `\73 k`, as CSS.escape writes a digit that comes first (CSS Syntax, section 4.3.7); a form writes + for the blank.
  { begins: '\\', base: 16, digits: [1, 5], end: ' \t\n+' },
  { begins: '\\', base: 16, digits: [6, 6] },
  // URLs, and what scripts of old made of them.
  { begins: '%', base: 16, digits: [2, 2] },
  { begins: '%u', base: 16, digits: [4, 4] },
  { begins: '%U', base: 16, digits: [4, 4] },
  // Quoted-printable.
  { begins: '=', base: 16, digits: [2, 2] },
  // HTML; browsers do without the semicolon.
  { begins: '&#', base: 10, digits: ANY_DIGITS, end: ';' },
  { begins: '&#x', base: 16, digits: ANY_DIGITS, end: ';' },
  { begins: '&#X', base: 16, digits: ANY_DIGITS, end: ';' },
];

/** What a backslash and a letter may stand for beside the letter. */
const LETTER_ESCAPES: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9 };

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

const MAX_NAME = 8;

export const ESCAPE_STARTS = Array.from('%&=\\', (sign) => sign.charCodeAt(0));

export function startsEscape(code: number): boolean {
  return code === BACKSLASH || code === 0x25 || code === AMPERSAND || code === 0x3d;
}

/** What may follow signs that begin a numeric escape: its number, or another sign that belongs to them. */
interface Beginning {
  readonly numbers: NumericEscape[];
  readonly next: Record<number, Beginning>;
}

const BEGINNINGS: Beginning = { numbers: [], next: {} };
for (const each of NUMERIC_ESCAPES) {
  let at = BEGINNINGS;
  for (const sign of each.begins) at = at.next[sign.charCodeAt(0)] ??= { numbers: [], next: {} };
  at.numbers.push(each);
}

/** Whether `next` may follow `start` in the escape of a letter or digit, itself or as the beginning of an escape. */
export function mayFollow(start: number, next: number): boolean {
  if (startsEscape(next) || (start === AMPERSAND && isLetter(next))) return true;
  const begun = BEGINNINGS.next[start];
  return begun !== undefined && (next in begun.next || begun.numbers.some(({ base }) => digitOf(next) < base));
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
    for (const { code, end } of this.readingsAt(at, depth)) {
      const begun = BEGINNINGS.next[code];
      if (begun !== undefined) this.#addNumeric(begun, end, depth, readings);
      if (code === BACKSLASH) this.#addBackslashed(end, end - at, depth, readings);
      else if (code === AMPERSAND) this.#addNamed(end, depth, readings);
    }
  }

  #addNumeric({ numbers, next }: Beginning, at: number, depth: number, readings: Reading[]): void {
    for (const sign of this.readingsAt(at, depth)) {
      const begun = next[sign.code];
      if (begun !== undefined) this.#addNumeric(begun, sign.end, depth, readings);
      for (const each of numbers) if (digitOf(sign.code) < each.base) this.#addNumbers(each, sign, depth, readings);
    }
  }

  /** One for each length that the number may have. */
  #addNumbers({ base, digits, end = '' }: NumericEscape, first: Reading, depth: number, readings: Reading[]): void {
    const [min, max] = digits;
    let code = 0;
    let digit: Reading | undefined = first;
    for (let length = 1; digit !== undefined; length++) {
      code = code * base + digitOf(digit.code);
      // Secrets, and what stands between their signs, are ASCII.
      if (code > 0x7e) return;
      if (length >= min) this.#addEnded({ code, end: digit.end }, end, depth, readings);
      if (length === max) return;
      digit = this.readingsAt(digit.end, depth).find((each) => digitOf(each.code) < base);
    }
  }

  /** @param ending signs of which one may belong to it */
  #addEnded(reading: Reading, ending: string, depth: number, readings: Reading[]): void {
    readings.push(reading);
    if (ending === '') return;
    for (const { code, end } of this.readingsAt(reading.end, depth)) {
      if (ending.includes(String.fromCharCode(code))) readings.push({ code: reading.code, end });
    }
  }

  /** @param width of the backslash: whoever escapes one writes two of a kind */
  #addBackslashed(at: number, width: number, depth: number, readings: Reading[]): void {
    for (const { code, end } of this.readingsAt(at, depth)) {
      if (code === BACKSLASH && end - at !== width) continue;
      readings.push({ code, end });
      const blank = LETTER_ESCAPES[String.fromCharCode(code)];
      if (blank !== undefined) readings.push({ code: blank, end });
    }
  }

  #addNamed(at: number, depth: number, readings: Reading[]): void {
    let end = at;
    for (let name = ''; name.length < MAX_NAME; ) {
      const letter = this.readingsAt(end, depth).find(({ code }) => isLetter(code));
      if (letter === undefined) return;
      name += String.fromCharCode(letter.code).toLowerCase();
      end = letter.end;
      const char = Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined;
      if (char !== undefined) this.#addEnded({ code: char.charCodeAt(0), end }, ';', depth, readings);
    }
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

function digitOf(code: number): number {
  if (isDigit(code)) return code - 0x30;
  if (code >= 0x41 && code <= 0x46) return code - 0x37;
  if (code >= 0x61 && code <= 0x66) return code - 0x57;
  return Number.POSITIVE_INFINITY;
}
