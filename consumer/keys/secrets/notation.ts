/**
 * The notations in which a secret may come back: as it is in any case of its letters, in base64
 * wherever it starts inside a longer text (in alphabets of MIME and of URLs, broken into lines, of the
 * secret as JSON, URLs, HTML and UTF-16 write it, of its hexadecimal, and of its base64 once more), in base32,
 * as hexadecimal, octal and decimal bytes, and character by character. How each of their signs is spelt is
 * `spelling.ts`. Pure.
 */
import { isLetter } from './ascii.ts';

/** What may stand before a sign without ending the notation. */
export type Gap =
  /** Only what a wide encoding or a mail puts between characters. */
  | 'none'
  /** A line break, with an indentation. */
  | 'lines'
  /** `73:6b`, `73 6b`, `0x73, 0x6b`, `["73","6b"]` */
  | 'separators'
  /** The same, and at least one, an index perhaps: `115,107`, `{"0":115,"1":107}`. */
  | 'separated'
  /** The same on one line: `"s","k"`. The end of a line is not held back for it. */
  | 'apart';

type Kind = 'literal' | 'hexadecimal' | 'numbers' | 'base64' | 'base32' | 'characters';

export interface Notation {
  readonly kind: Kind;
  readonly text: string;
  /** Of bytes as numbers: where a byte begins. */
  readonly begins?: ReadonlySet<number>;
}

/** The gap before the sign at `index`. */
export function gapBefore({ kind, begins }: Notation, index: number): Gap {
  switch (kind) {
    case 'literal':
      // Text is broken into lines, too; the end of a line is not held back for its last letter.
      return index < CHARS_BEFORE_BREAK ? 'none' : 'lines';
    case 'base64':
    case 'base32':
      return 'lines';
    case 'hexadecimal':
      return index % 2 === 0 ? 'separators' : 'none';
    case 'numbers':
      return begins?.has(index) === true ? 'separated' : 'none';
    case 'characters':
      return 'apart';
  }
}

const CHARS_BEFORE_BREAK = 4;

/** Every character that the sign at `index` may be. */
export function codesAt({ kind, text }: Notation, index: number): number[] {
  const code = text.charCodeAt(index);
  const other = otherCode(kind, code);
  return other === undefined ? [code] : [code, other];
}

/** Whether `code` stands for the sign `expected`. */
export function isSign(kind: Kind, expected: number, code: number): boolean {
  return code === expected || code === otherCode(kind, expected);
}

/** A URL parser writes a host in small letters, a runtime the name of a header; a form writes + for a space. */
function otherCode(kind: Kind, code: number): number | undefined {
  if (kind === 'numbers') return undefined;
  if (kind === 'base64') return code === PLUS ? 0x2d : code === SLASH ? 0x5f : undefined;
  if (isLetter(code)) return code ^ CASE;
  return code === SPACE ? PLUS : undefined;
}

const PLUS = 0x2b;
const SLASH = 0x2f;
const SPACE = 0x20;
const CASE = 0x20;

/** Shorter ones would be found in ordinary text. */
const MIN_CHARS = 4;

/** Base64 of fewer characters is not specific enough. */
const MIN_ENCODED_CHARS = 8;

/** @param secrets printable ASCII */
export function notationsOf(secrets: readonly string[]): Notation[] {
  const longEnough = new Set(secrets.filter((secret) => secret.length >= MIN_CHARS));
  return Array.from(longEnough).flatMap((secret): Notation[] => [
    { kind: 'literal', text: secret },
    { kind: 'hexadecimal', text: hexOf(secret) },
    numbersOf(secret, 10),
    numbersOf(secret, 8),
    { kind: 'characters', text: secret },
    ...base32Texts(secret).map((text) => ({ kind: 'base32' as const, text })),
    ...base64Parts(secret)
      .slice(0, 1)
      .map((text) => ({ kind: 'hexadecimal' as const, text: hexOf(text) })),
    ...base64Texts(secret).map((text) => ({ kind: 'base64' as const, text })),
  ]);
}

/**
 * The secrets in what a header carries: all of it, and without its scheme what is secret about it.
 * `Basic` hides a name and a password.
 */
export function secretsInHeader(value: string): string[] {
  const [, scheme = '', credentials] = /^([A-Za-z][\w-]*) +(\S.*)$/.exec(value) ?? [];
  if (credentials === undefined) return [value];
  if (scheme.toLowerCase() !== 'basic') return [value, credentials];
  try {
    const pair = atob(credentials);
    return [value, credentials, pair, pair.slice(pair.indexOf(':') + 1)];
  } catch {
    return [value, credentials];
  }
}

function hexOf(text: string): string {
  return Array.from(text, (char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

function numbersOf(secret: string, base: 8 | 10): Notation {
  const begins = new Set<number>();
  let text = '';
  for (const char of secret) {
    begins.add(text.length);
    text += char
      .charCodeAt(0)
      .toString(base)
      .padStart(base === 8 ? 3 : 2, '0');
  }
  return { kind: 'numbers', text, begins };
}

/** By the digits of numbers to the base of 32, which are the signs of the extended alphabet. */
const BASE32_SIGNS: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from('abcdefghijklmnopqrstuvwxyz234567', (sign, value) => [value.toString(32), sign]),
);

/** As `base64Parts`, in RFC 4648's two alphabets: the secret begins at any of a sign's five bits. */
function base32Texts(secret: string): string[] {
  const bits = BigInt(`0x${hexOf(secret)}`);
  return [0, 1, 2, 3, 4].flatMap((skipped) => {
    const left = secret.length * 8 - skipped;
    const length = Math.floor(left / 5);
    if (length < MIN_ENCODED_CHARS) return [];
    const extended = (bits >> BigInt(left % 5)).toString(32).padStart(length, '0').slice(-length);
    return [extended, extended.replace(/./g, (sign) => BASE32_SIGNS[sign] ?? '')];
  });
}

/** Every text of base64 that a text with the secret in it would hold. */
function base64Texts(secret: string): string[] {
  const json = inJson(secret);
  const written = new Set([
    secret,
    json,
    json.replaceAll('/', '\\/'),
    inJson(json),
    encodeURIComponent(secret),
    encodeURIComponent(json),
    inHtml(secret, '&quot;'),
    inHtml(secret, '&#34;'),
    secret.toLowerCase(),
    secret.toUpperCase(),
    hexOf(secret),
    hexOf(secret).toUpperCase(),
    Array.from(secret, (char) => `${char}\0`).join(''),
    Array.from(secret, (char) => `\0${char}`).join(''),
  ]);
  const once = Array.from(written).flatMap(base64Parts);
  const ofSecret = base64Parts(secret);
  const twice = ofSecret.flatMap((part) => [part, part.replaceAll('+', '-').replaceAll('/', '_')]);
  return [...new Set([...once, ...Array.from(new Set(twice)).flatMap(base64Parts)])];
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Programs differ in how they write quotes. */
function inHtml(text: string, quote: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('"', quote)
    .replaceAll("'", '&#39;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;');
}

/** Wherever `text` starts in what was encoded, these characters depend on it alone. */
function base64Parts(text: string): string[] {
  return [0, 1, 2].flatMap((offset) => {
    const encoded = btoa('\0'.repeat(offset) + text);
    const from = Math.ceil((offset * 8) / 6);
    const to = Math.floor(((offset + text.length) * 8) / 6);
    const inner = encoded.slice(from, to);
    return inner.length < MIN_ENCODED_CHARS ? [] : [inner];
  });
}
