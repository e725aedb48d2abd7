/**
 * Whether a notation of a secret stands at a place in a text, however its signs are spelt. Follows all
 * ways to read the text at once, so that no way hides another. Deterministic, without I/O.
 */
import { BACKSLASH, isBlank, isDigit, isSeparator } from './ascii.ts';
import { type Gap, gapBefore, isSign, type Notation } from './notation.ts';
import { type Speller, startsEscape } from './spelling.ts';

export type Match =
  /** `end`: where the text goes on after the longest way to read it; the speller says whether more text may make it longer. */
  | { readonly kind: 'whole'; readonly end: number }
  /** The text ends before it can be known; `share` of the notation stands there. */
  | { readonly kind: 'begun'; readonly share: number }
  | { readonly kind: 'none' };

const NONE: Match = { kind: 'none' };

export function matchAt(speller: Speller, notation: Notation, at: number): Match {
  const { length } = notation.text;
  speller.metEnd = false;
  let places = [at];
  for (let index = 0; index < length; index++) {
    const next: number[] = [];
    for (const place of places) {
      if (index === 0) addEnds(speller, notation, index, place, next);
      else {
        for (const from of gapEnds(speller, gapBefore(notation, index), place))
          addEnds(speller, notation, index, from, next);
      }
    }
    if (next.length === 0) return speller.metEnd ? { kind: 'begun', share: index / length } : NONE;
    places = next;
  }
  const whole = places.filter((place) => isEven(speller.text, place));
  return { kind: 'whole', end: Math.max(...(whole.length > 0 ? whole : places)) };
}

/** Not within an escape: half of `\\\\` left would escape what follows. */
function isEven(text: string, place: number): boolean {
  let from = place;
  while (text.charCodeAt(from - 1) === BACKSLASH) from -= 1;
  return (place - from) % 2 === 0;
}

function addEnds(speller: Speller, { kind, text }: Notation, index: number, at: number, ends: number[]): void {
  if (at >= speller.text.length) {
    speller.metEnd = true;
    return;
  }
  const expected = text.charCodeAt(index);
  const code = speller.text.charCodeAt(at);
  if (isSign(kind, expected, code) && !ends.includes(at + 1)) ends.push(at + 1);
  if (!startsEscape(code)) return;
  for (const { code: spelt, end } of speller.readingsAt(at)) {
    if (isSign(kind, expected, spelt) && !ends.includes(end)) ends.push(end);
  }
}

/** UTF-32 puts three between its characters. */
const MAX_ZEROS = 3;
/** `",\n        "` of pretty JSON, and an index with its quotes. */
const MAX_SEPARATORS = 16;
const MAX_INDENT = 8;
const MAX_INDEX_DIGITS = 4;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const ZERO = 0x30;

/** What a gap has taken so far. */
interface Taken {
  readonly zeros: number;
  readonly hasBreak: boolean;
  /** Blanks among them. */
  readonly separators: number;
  /** Digits of an index, which stands behind a quote. */
  readonly digits: number;
  readonly isQuoted: boolean;
}

const NOTHING: Taken = { zeros: 0, hasBreak: false, separators: 0, digits: 0, isQuoted: false };

/** Every place that a gap before a sign may lead to. */
function gapEnds(speller: Speller, gap: Gap, at: number): number[] {
  const code = speller.text.charCodeAt(at);
  // Nearly always there is none.
  const mustBe = gap === 'separated' || gap === 'apart';
  if (!mustBe && !mayBeOfGap(code, gap)) return [at];
  const ends: number[] = mustBe ? [] : [at];
  widen(speller, gap, at, NOTHING, ends);
  return ends;
}

function mayBeOfGap(code: number, gap: Gap): boolean {
  if (Number.isNaN(code)) return false;
  if (code === 0 || startsEscape(code)) return true;
  if (gap === 'none') return false;
  return code <= 0x20 || (gap !== 'lines' && (isSeparator(code) || code === ZERO || isLetterOfPrefix(code)));
}

function widen(speller: Speller, gap: Gap, at: number, taken: Taken, ends: number[]): void {
  const { text } = speller;
  if (at >= text.length) {
    speller.metEnd = true;
    return;
  }
  const to = (end: number, more: Taken) => {
    if (ends.includes(end)) return;
    ends.push(end);
    widen(speller, gap, end, more, ends);
  };
  const soft = softBreakEnd(speller, at);
  if (soft !== undefined && !taken.hasBreak && gap !== 'apart') to(soft, { ...taken, hasBreak: true });
  for (const { code, end } of speller.readingsAt(at)) {
    const next = afterReading(gap, code, taken);
    if (next !== undefined) to(end, next);
  }
  if (gap === 'separators' || gap === 'separated') {
    const prefix = PREFIXES.find((each) => text.startsWith(each, at));
    if (prefix !== undefined && taken.separators < MAX_SEPARATORS) {
      to(at + prefix.length, { ...taken, separators: taken.separators + 1 });
    }
    if (PREFIXES.some((each) => each.startsWith(text.slice(at)))) speller.metEnd = true;
  }
}

/** What stands before a byte, or behind it (`50h`), beside separators; `00` is one of a wide encoding. */
const PREFIXES = ['0x', '0X', '00', '\\x', '\\\\x', 'U+00', 'u+00', 'h', 'H'];

function isLetterOfPrefix(code: number): boolean {
  return 'UuHh'.includes(String.fromCharCode(code));
}

/** @returns undefined where the gap takes no such sign */
function afterReading(gap: Gap, code: number, taken: Taken): Taken | undefined {
  const { zeros, hasBreak, separators, digits, isQuoted } = taken;
  if (code === 0) return zeros < MAX_ZEROS ? { ...taken, zeros: zeros + 1 } : undefined;
  if (gap === 'none') return undefined;
  if (code === CARRIAGE_RETURN || code === LINE_FEED) {
    // One only: an empty line ends a server-sent event, which is not to be held back.
    if (hasBreak || gap === 'apart') return undefined;
    return code === LINE_FEED ? { ...taken, hasBreak: true } : taken;
  }
  if (isSeparator(code)) {
    if (gap === 'lines' && !(hasBreak && isBlank(code))) return undefined;
    if (separators >= (gap === 'lines' ? MAX_INDENT : MAX_SEPARATORS)) return undefined;
    return { ...taken, separators: separators + 1, isQuoted: isQuote(code) && digits === 0 };
  }
  if (!isDigit(code) || gap === 'lines' || gap === 'separators') return undefined;
  if (isQuoted && digits < MAX_INDEX_DIGITS) return { ...taken, digits: digits + 1 };
  // Leading zeros of a number.
  const isLeading = gap === 'separated' && code === ZERO && separators > 0 && zeros < MAX_ZEROS;
  return isLeading ? { ...taken, zeros: zeros + 1 } : undefined;
}

function isQuote(code: number): boolean {
  return code === 0x22 || code === 0x27;
}

/** `=` at the end of a line of quoted-printable; blanks behind it were added on the way (RFC 2045, section 6.7). */
function softBreakEnd(speller: Speller, at: number): number | undefined {
  const { text } = speller;
  if (text.charCodeAt(at) !== 0x3d) return undefined;
  let feed = at + 1;
  while (feed - at <= MAX_INDENT && isBlank(text.charCodeAt(feed))) feed += 1;
  if (text.charCodeAt(feed) === CARRIAGE_RETURN) feed += 1;
  if (feed >= text.length) speller.metEnd = true;
  return text.charCodeAt(feed) === LINE_FEED ? feed + 1 : undefined;
}
