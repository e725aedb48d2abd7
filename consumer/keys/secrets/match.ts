/**
 * Whether a notation of a secret stands at a place in a text, however its signs are spelt. Follows all
 * ways to read the text at once, so that no way hides another. Deterministic, without I/O.
 */
import { type Gap, gapBefore, isSign, type Notation } from './notation.ts';
import { type Speller, startsEscape } from './spelling.ts';

export type Match =
  /** `end`: where the text goes on after the longest way to read it, which more text may make longer. */
  | { readonly kind: 'whole'; readonly end: number; readonly mayGrow: boolean }
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
  return { kind: 'whole', end: Math.max(...places), mayGrow: speller.metEnd };
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
const MAX_SEPARATORS = 4;
const MAX_INDENT = 8;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const ZERO = 0x30;

/** What a gap has taken so far. */
interface Taken {
  readonly zeros: number;
  readonly breaks: number;
  readonly blanks: number;
  readonly separators: number;
}

const NOTHING: Taken = { zeros: 0, breaks: 0, blanks: 0, separators: 0 };

/** Every place that a gap before a sign may lead to. */
function gapEnds(speller: Speller, gap: Gap, at: number): number[] {
  const code = speller.text.charCodeAt(at);
  // Nearly always there is none.
  if (gap !== 'separated' && !mayBeOfGap(code, gap)) return [at];
  const ends: number[] = gap === 'separated' ? [] : [at];
  widen(speller, gap, at, NOTHING, ends);
  return ends;
}

function mayBeOfGap(code: number, gap: Gap): boolean {
  if (Number.isNaN(code)) return false;
  return code === 0 || startsEscape(code) || (gap !== 'none' && (code <= 0x20 || isSeparator(code) || code === ZERO));
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
  if (soft !== undefined && taken.breaks === 0) to(soft, { ...taken, breaks: 1 });
  const code = text.charCodeAt(at);
  const readings = startsEscape(code) ? speller.readingsAt(at) : [{ code, end: at + 1 }];
  for (const reading of readings) {
    const next = afterReading(gap, reading.code, taken);
    if (next !== undefined) to(reading.end, next);
  }
  if (gap === 'separators' || gap === 'separated') {
    const prefix = PREFIXES.find((each) => text.startsWith(each, at));
    if (prefix !== undefined && taken.separators < MAX_SEPARATORS) {
      to(at + prefix.length, { ...taken, separators: taken.separators + 1 });
    }
    if (PREFIXES.some((each) => each.startsWith(text.slice(at)))) speller.metEnd = true;
  }
}

/** What stands before a byte, beside separators; `00` is one of a wide encoding. */
const PREFIXES = ['0x', '0X', '00', '\\x', '\\\\x'];

function afterReading(gap: Gap, code: number, taken: Taken): Taken | undefined {
  if (code === 0) return taken.zeros < MAX_ZEROS ? { ...taken, zeros: taken.zeros + 1 } : undefined;
  if (gap === 'none') return undefined;
  if (code === CARRIAGE_RETURN) return taken.breaks === 0 ? taken : undefined;
  // One only: an empty line ends a server-sent event, which is not to be held back.
  if (code === LINE_FEED) return taken.breaks === 0 ? { ...taken, breaks: 1 } : undefined;
  const isBlank = code === 0x20 || code === 9;
  if (gap === 'lines') {
    if (!isBlank || taken.breaks === 0) return undefined;
    return taken.blanks < MAX_INDENT ? { ...taken, blanks: taken.blanks + 1 } : undefined;
  }
  if (!isBlank && !isSeparator(code)) return undefined;
  return taken.separators < MAX_SEPARATORS ? { ...taken, separators: taken.separators + 1 } : undefined;
}

function isSeparator(code: number): boolean {
  return ',:;._|-'.includes(String.fromCharCode(code));
}

/** `=` at the end of a line of quoted-printable. */
function softBreakEnd(speller: Speller, at: number): number | undefined {
  const { text } = speller;
  if (text.charCodeAt(at) !== 0x3d) return undefined;
  const feed = text.charCodeAt(at + 1) === CARRIAGE_RETURN ? at + 2 : at + 1;
  if (feed >= text.length) speller.metEnd = true;
  return text.charCodeAt(feed) === LINE_FEED ? feed + 1 : undefined;
}
