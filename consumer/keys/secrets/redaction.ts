/**
 * Takes secrets out of what a backend sends back: a result, an error, a debugging echo. They are found
 * in every notation of `notation.ts` in every spelling of `spelling.ts`, also where they are mixed,
 * split anywhere, or cut off at the end of a text by more than half. A backend that hides a secret on
 * purpose (reversed, encrypted, packed inside a picture) is not caught (decision 0035).
 */
import { type Content, isJsonText } from '../../../shared/task/content.ts';
import { BACKSLASH, isSeparator } from './ascii.ts';
import { bytesFromLatin1, latin1FromBytes } from './latin1.ts';
import { matchAt } from './match.ts';
import { codesAt, type Notation, notationsOf } from './notation.ts';
import { ESCAPE_STARTS, MAX_BACKSLASHES, mayFollow, Speller, startsEscape } from './spelling.ts';

export const REPLACEMENT = '[redacted]';

/** More of a secret than this share at the end of a text is one that was cut off. */
const TELLING_SHARE = 0.5;

export type Redact = (text: string) => string;

/** What is clean of a text, and the end of it that may be the beginning of a secret. */
interface CleanPart {
  readonly clean: string;
  readonly held: string;
}

interface Found {
  readonly from: number;
  /** Undefined where it may go on beyond the end of the text. */
  readonly to: number | undefined;
}

/** Immutable but for what it prepares when the first text comes that is long enough. */
export class Redactor {
  readonly #secrets: readonly string[];
  readonly #minChars: number;
  #starts: Starts | undefined;

  /** @param secrets values that must not be seen: printable ASCII; very short ones are left alone */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
    this.#minChars = Math.min(...secrets.map(({ length }) => length)) * TELLING_SHARE;
  }

  /** Of these secrets and another one. */
  and(secret: string): Redactor {
    return new Redactor([...this.#secrets, secret]);
  }

  get isEmpty(): boolean {
    return this.#secrets.length === 0;
  }

  text(text: string): string {
    // No notation is shorter than what it stands for.
    return text.length < this.#minChars ? text : this.#clean(text, true).clean;
  }

  bytes(bytes: Uint8Array): Uint8Array {
    if (bytes.length < this.#minChars) return bytes;
    const text = latin1FromBytes(bytes);
    const clean = this.text(text);
    return clean === text ? bytes : bytesFromLatin1(clean);
  }

  /** Of a text that goes on. */
  part(text: string): CleanPart {
    return this.isEmpty ? { clean: text, held: '' } : this.#clean(text, false);
  }

  #clean(text: string, isComplete: boolean): CleanPart {
    let clean = '';
    let done = 0;
    for (;;) {
      const found = this.#find(text, done, isComplete);
      if (found === undefined) return { clean: clean + text.slice(done), held: '' };
      clean += text.slice(done, found.from);
      if (found.to === undefined) return { clean, held: text.slice(found.from) };
      clean += REPLACEMENT;
      done = found.to;
    }
  }

  /** The first secret from `after` on. */
  #find(text: string, after: number, isComplete: boolean): Found | undefined {
    this.#starts ??= new Starts(notationsOf(this.#secrets));
    const starts = this.#starts;
    const speller = new Speller(text);
    for (let at = starts.next(text, after); at < text.length; at = starts.next(text, at + 1)) {
      let to: number | undefined;
      let share = 0;
      speller.metEnd = false;
      const notations = startsEscape(text.charCodeAt(at))
        ? speller.readingsAt(at).flatMap(({ code }) => starts.notationsFrom(code))
        : starts.notationsFrom(text.charCodeAt(at));
      let mayGoOn = speller.metEnd;
      for (const notation of notations) {
        // What stands there as it is has no separators: what follows it would be taken for its last character.
        if (notation.kind === 'characters' && to !== undefined) continue;
        const match = matchAt(speller, notation, at);
        mayGoOn ||= speller.metEnd;
        if (match.kind === 'whole') to = Math.max(to ?? 0, match.end);
        else if (match.kind === 'begun') share = Math.max(share, match.share);
      }
      // More of the text may make it a secret, or a longer one.
      const isOpen = mayGoOn && !isComplete;
      if (!isOpen && to === undefined && share <= TELLING_SHARE) continue;
      return { from: Math.max(after, escapeStart(text, at)), to: isOpen ? undefined : (to ?? text.length) };
    }
    return undefined;
  }
}

export function redactContent(content: Content, redact: Redact): Content {
  const type = redact(content.type);
  const text = content.encoding === 'base64' ? redactBase64(content.text, redact) : redact(content.text);
  if (text === content.text && type === content.type) return content;
  // A key among the numbers of a document would leave no document.
  const encoding = content.encoding === 'json' && !isJsonText(text) ? 'text' : content.encoding;
  return { type, encoding, text };
}

function redactBase64(encoded: string, redact: Redact): string {
  const bytes = atob(encoded);
  const clean = redact(bytes);
  return clean === bytes ? encoded : btoa(clean);
}

/** A pair of characters that no notation begins with rules nearly every place out at once. */
class Starts {
  readonly #byFirst = new Map<number, Notation[]>();
  readonly #pairs = new Uint8Array(0x1_0000);

  constructor(notations: readonly Notation[]) {
    for (const notation of notations) {
      const seconds = notation.kind === 'characters' ? SEPARATORS : codesAt(notation, 1);
      for (const code of codesAt(notation, 0)) {
        const same = this.#byFirst.get(code);
        if (same === undefined) this.#byFirst.set(code, [notation]);
        else same.push(notation);
        // Between two characters there may be a gap, and the second may be escaped.
        for (const next of seconds) this.#pairs[(code << 8) | next] = 1;
        for (const next of BETWEEN) this.#pairs[(code << 8) | next] = 1;
      }
    }
    for (const lead of ESCAPE_STARTS) this.#pairs.set(ESCAPE_ROWS[lead] ?? [], lead << 8);
    for (const code of this.#byFirst.keys()) this.#pairs[(BACKSLASH << 8) | code] = 1;
  }

  notationsFrom(code: number): readonly Notation[] {
    return this.#byFirst.get(code) ?? [];
  }

  /** The first place from `from` on where a notation may begin; the text's length when there is none. */
  next(text: string, from: number): number {
    const last = text.length - 1;
    for (let at = from; at < last; at++) {
      const code = text.charCodeAt(at);
      if (code === BACKSLASH && !this.#byFirst.has(BACKSLASH)) at = skipBackslashes(text, at);
      const following = text.charCodeAt(at + 1);
      if (code < 256 && following < 256 && this.#pairs[(code << 8) | following] === 1) return at;
    }
    const code = text.charCodeAt(last);
    return last >= from && (startsEscape(code) || this.#byFirst.has(code)) ? last : text.length;
  }
}

/** Half of `\u0070`, whose last digit a secret may begin with, would leave no document of JSON: all of it goes. */
function escapeStart(text: string, at: number): number {
  const before = /(?<!\\)(?:\\\\)*\\u[0-9a-f]{0,3}$/i.exec(text.slice(Math.max(0, at - MAX_BACKSLASHES), at))?.[0];
  if (before === undefined) return at;
  const start = at - before.length + before.lastIndexOf('\\');
  return /^\\u[0-9a-f]{4}/i.test(text.slice(start, start + 6)) ? start : at;
}

/** The first place in a run of them from which an escape may reach beyond it. */
function skipBackslashes(text: string, at: number): number {
  let end = at;
  while (text.charCodeAt(end) === BACKSLASH) end += 1;
  return Math.max(at, end - MAX_BACKSLASHES);
}

/** Zero, line breaks, and the escapes of these and of any sign. */
const BETWEEN = [0, 10, 13, ...ESCAPE_STARTS];
const SEPARATORS = Array.from({ length: 0x7f }, (_, code) => code).filter(isSeparator);

/** How an escape of a first character may go on, by the sign that it begins with. */
const ESCAPE_ROWS: Readonly<Record<number, Uint8Array>> = Object.fromEntries(
  ESCAPE_STARTS.map((start) => [start, Uint8Array.from({ length: 256 }, (_, next) => Number(mayFollow(start, next)))]),
);
