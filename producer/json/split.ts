/**
 * Takes large values out of a JSON object while it streams, so that nobody holds it whole: what is left is small enough to
 * be parsed, with `null` where a value was. The text is checked as it passes: what comes to its end is JSON, nests no
 * deeper than the limit and is UTF-8. Deterministic, without I/O.
 */

export type SplitEvent =
  /** A value is taken out: a member of the outermost object. */
  | { readonly kind: 'start'; readonly name: string }
  | { readonly kind: 'piece'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' };

/** What is wrong with the text, in words for whoever sent it. */
export class JsonFault extends Error {
  override readonly name = 'JsonFault';
}

/** What is not taken out is too large. */
export class RestTooLargeError extends JsonFault {}

export interface SplitLimits {
  /** Members of the outermost object that are taken out when they are large. */
  readonly names: ReadonlySet<string>;
  /** Values up to this stay where they are. */
  readonly smallBytes: number;
  /** Of what is left. */
  readonly restBytes: number;
  readonly maxDepth: number;
}

/** What may come next. */
type Expected = 'value' | 'value-or-end' | 'key' | 'key-or-end' | 'colon' | 'comma-or-end' | 'nothing';

/** Within a token; digits of a number, by where in it they are. */
type Token =
  | 'none'
  | 'string'
  | 'escape'
  | 'hex'
  | 'literal'
  | 'minus'
  | 'zero'
  | 'integer'
  | 'point'
  | 'fraction'
  | 'exponent'
  | 'exponent-sign'
  | 'exponent-digits';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MAX_NAME_BYTES = 1_000;

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const NULL = encoder.encode('null');

export class JsonSplit {
  readonly #limits: SplitLimits;
  readonly #utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** Per level: whether it is an object. */
  readonly #levels: boolean[] = [];
  #expected: Expected = 'value';
  #token: Token = 'none';
  #hexLeft = 0;
  #literal = '';
  #isName = false;
  /** The name of the member that is read, of the outermost object. */
  #name: number[] = [];
  #member = '';
  /** A value that may turn out to be large: what came of it. */
  #held: Uint8Array[] | undefined;
  #heldBytes = 0;
  #isTaken = false;
  readonly #taken = new Set<string>();
  readonly #rest: Uint8Array[] = [];
  #restBytes = 0;

  constructor(limits: SplitLimits) {
    this.#limits = limits;
  }

  /** @throws JsonFault */
  push(chunk: Uint8Array): SplitEvent[] {
    this.#checkUtf8(chunk, false);
    const events: SplitEvent[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      if (this.#token === 'string' && !this.#isName) at = endOfPlain(chunk, at);
      if (at >= chunk.length) break;
      const byte = chunk[at] ?? 0;
      // What follows a number ends it, and is no part of it.
      if (this.#endsNumberBefore(byte)) from = this.#afterValue(chunk, from, at, events);
      if (this.#startsMember(byte)) {
        this.#keep(chunk.subarray(from, at));
        from = at;
        this.#held = [];
      }
      if (this.#step(byte)) from = this.#afterValue(chunk, from, at + 1, events);
    }
    if (this.#held !== undefined) this.#hold(chunk.subarray(from), events);
    else this.#keep(chunk.subarray(from));
    return events;
  }

  /** The members of the outermost object that stand before the value that is read. */
  before(): Record<string, unknown> {
    return JSON.parse(`${this.#left()}null}`) as Record<string, unknown>;
  }

  /** @returns what is left of the text @throws JsonFault */
  end(): string {
    this.#checkUtf8(new Uint8Array(), true);
    if (COMPLETE_NUMBERS.has(this.#token)) this.#endNumber();
    if (this.#token !== 'none') throw tooSoon();
    if (this.#levels.length > 0 || this.#expected === 'value') throw tooSoon();
    return this.#left();
  }

  #left(): string {
    const text = new Uint8Array(this.#restBytes);
    let at = 0;
    for (const part of this.#rest) {
      text.set(part, at);
      at += part.length;
    }
    return decoder.decode(text);
  }

  #checkUtf8(chunk: Uint8Array, isLast: boolean): void {
    try {
      this.#utf8.decode(chunk, { stream: !isLast });
    } catch {
      throw new JsonFault('The body is not valid UTF-8.');
    }
  }

  /** A value of the outermost object begins with this byte, and may be large. */
  #startsMember(byte: number): boolean {
    if (this.#held !== undefined) return false;
    const isValue = this.#expected === 'value' && this.#token === 'none' && !isBlank(byte);
    return isValue && this.#levels.length === 1 && this.#levels[0] === true && this.#limits.names.has(this.#member);
  }

  /** A value ended before `end`. @returns from where on nothing is written yet */
  #afterValue(chunk: Uint8Array, from: number, end: number, events: SplitEvent[]): number {
    if (this.#held === undefined || this.#levels.length !== 1) return from;
    this.#hold(chunk.subarray(from, end), events);
    this.#endValue(events);
    return end;
  }

  #keep(bytes: Uint8Array): void {
    this.#restBytes += bytes.length;
    if (this.#restBytes > this.#limits.restBytes) {
      const names = [...this.#limits.names].join(', ');
      throw new RestTooLargeError(`All but ${names} may have ${this.#limits.restBytes} bytes.`);
    }
    if (bytes.length > 0) this.#rest.push(bytes.slice());
  }

  #hold(bytes: Uint8Array, events: SplitEvent[]): void {
    if (bytes.length === 0) return;
    if (this.#isTaken) {
      events.push({ kind: 'piece', bytes });
      return;
    }
    this.#held?.push(bytes.slice());
    this.#heldBytes += bytes.length;
    if (this.#heldBytes <= this.#limits.smallBytes) return;
    if (this.#taken.has(this.#member)) throw new JsonFault(`The body has ${this.#member} twice.`);
    this.#taken.add(this.#member);
    this.#isTaken = true;
    events.push({ kind: 'start', name: this.#member });
    for (const piece of this.#held ?? []) events.push({ kind: 'piece', bytes: piece });
    this.#held = [];
  }

  #endValue(events: SplitEvent[]): void {
    if (this.#isTaken) {
      events.push({ kind: 'end' });
      this.#keep(NULL);
    } else for (const piece of this.#held ?? []) this.#keep(piece);
    this.#held = undefined;
    this.#heldBytes = 0;
    this.#isTaken = false;
  }

  /** @returns whether a value ended with this byte */
  #step(byte: number): boolean {
    switch (this.#token) {
      case 'none':
        return this.#structure(byte);
      case 'string':
        return this.#inString(byte);
      case 'escape':
        if (byte === 0x75) {
          this.#token = 'hex';
          this.#hexLeft = 4;
        } else if (`"\\/bfnrt`.includes(String.fromCharCode(byte))) this.#token = 'string';
        else throw broken('an escape that JSON does not know');
        this.#noteName(byte);
        return false;
      case 'hex':
        if (!/[0-9a-fA-F]/.test(String.fromCharCode(byte))) throw broken('an escape that is no character');
        this.#noteName(byte);
        this.#hexLeft -= 1;
        if (this.#hexLeft === 0) this.#token = 'string';
        return false;
      case 'literal':
        return this.#inLiteral(byte);
      default:
        this.#token = nextOfNumber(this.#token, String.fromCharCode(byte)) ?? this.#token;
        return false;
    }
  }

  #structure(byte: number): boolean {
    if (isBlank(byte)) return false;
    const char = String.fromCharCode(byte);
    switch (this.#expected) {
      case 'nothing':
        throw broken('text after its end');
      case 'colon':
        if (char !== ':') throw broken(`${shown(char)} instead of a colon`);
        this.#expected = 'value';
        return false;
      case 'comma-or-end':
        if (char === ',') {
          this.#expected = this.#levels.at(-1) === true ? 'key' : 'value';
          return false;
        }
        return this.#close(char);
      case 'key':
      case 'key-or-end':
        if (char === '"') {
          this.#isName = true;
          this.#name = [];
          this.#token = 'string';
          this.#noteName(byte);
          return false;
        }
        if (this.#expected === 'key-or-end') return this.#close(char);
        throw broken(`${shown(char)} instead of a name`);
      case 'value-or-end':
        if (char === ']') return this.#close(char);
        return this.#begin(char, byte);
      case 'value':
        return this.#begin(char, byte);
    }
  }

  #begin(char: string, byte: number): boolean {
    if (char === '{' || char === '[') {
      if (this.#levels.length >= this.#limits.maxDepth) {
        throw new JsonFault(`The body nests deeper than ${this.#limits.maxDepth} levels.`);
      }
      this.#levels.push(char === '{');
      this.#expected = char === '{' ? 'key-or-end' : 'value-or-end';
    } else if (byte === QUOTE) this.#token = 'string';
    else if (char === '-') this.#token = 'minus';
    else if (char === '0') this.#token = 'zero';
    else if (char >= '1' && char <= '9') this.#token = 'integer';
    else {
      const literal = ['true', 'false', 'null'].find((each) => each.startsWith(char));
      if (literal === undefined) throw broken(`${shown(char)} instead of a value`);
      this.#literal = literal.slice(1);
      this.#token = 'literal';
    }
    return false;
  }

  #close(char: string): boolean {
    const isObject = this.#levels.at(-1);
    if (isObject === undefined || char !== (isObject ? '}' : ']'))
      throw broken(`${shown(char)} where a comma or an end belongs`);
    this.#levels.pop();
    return this.#valueEnded();
  }

  #valueEnded(): true {
    this.#token = 'none';
    this.#expected = this.#levels.length === 0 ? 'nothing' : 'comma-or-end';
    return true;
  }

  #inString(byte: number): boolean {
    this.#noteName(byte);
    if (byte === BACKSLASH) this.#token = 'escape';
    else if (byte < 0x20) throw broken('a control character in a text');
    else if (byte === QUOTE) {
      if (!this.#isName) return this.#valueEnded();
      this.#isName = false;
      this.#token = 'none';
      this.#expected = 'colon';
      if (this.#levels.length === 1) this.#member = JSON.parse(decoder.decode(Uint8Array.from(this.#name))) as string;
    }
    return false;
  }

  #noteName(byte: number): void {
    if (!this.#isName) return;
    this.#name.push(byte);
    if (this.#name.length > MAX_NAME_BYTES) throw broken('a name that is too long');
  }

  #inLiteral(byte: number): boolean {
    if (byte !== this.#literal.charCodeAt(0)) throw broken('a word that JSON does not know');
    this.#literal = this.#literal.slice(1);
    return this.#literal === '' ? this.#valueEnded() : false;
  }

  #endsNumberBefore(byte: number): boolean {
    if (!NUMBER_TOKENS.has(this.#token)) return false;
    const next = nextOfNumber(this.#token, String.fromCharCode(byte));
    if (next !== undefined) return false;
    this.#endNumber();
    return true;
  }

  #endNumber(): void {
    if (!COMPLETE_NUMBERS.has(this.#token)) throw broken('a number that is not complete');
    this.#valueEnded();
  }
}

const COMPLETE_NUMBERS: ReadonlySet<Token> = new Set(['zero', 'integer', 'fraction', 'exponent-digits']);
const NUMBER_TOKENS: ReadonlySet<Token> = new Set([...COMPLETE_NUMBERS, 'minus', 'point', 'exponent', 'exponent-sign']);

function nextOfNumber(token: Token, char: string): Token | undefined {
  const isDigit = char >= '0' && char <= '9';
  const isExponent = char === 'e' || char === 'E';
  switch (token) {
    case 'minus':
      return char === '0' ? 'zero' : isDigit ? 'integer' : undefined;
    case 'zero':
      return char === '.' ? 'point' : isExponent ? 'exponent' : undefined;
    case 'integer':
      return isDigit ? 'integer' : char === '.' ? 'point' : isExponent ? 'exponent' : undefined;
    case 'point':
    case 'fraction':
      return isDigit ? 'fraction' : token === 'fraction' && isExponent ? 'exponent' : undefined;
    case 'exponent':
      return isDigit ? 'exponent-digits' : char === '+' || char === '-' ? 'exponent-sign' : undefined;
    case 'exponent-sign':
    case 'exponent-digits':
      return isDigit ? 'exponent-digits' : undefined;
    default:
      return undefined;
  }
}

/** The next place in a text that means something; most of a large body is passed here. */
function endOfPlain(chunk: Uint8Array, from: number): number {
  for (let at = from; at < chunk.length; at++) {
    const byte = chunk[at] ?? 0;
    if (byte === QUOTE || byte === BACKSLASH || byte < 0x20) return at;
  }
  return chunk.length;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function broken(what: string): JsonFault {
  return new JsonFault(`The body is not valid JSON: it has ${what}.`);
}

function tooSoon(): JsonFault {
  return new JsonFault('The body is not valid JSON: it ends too soon.');
}

/** Only signs are shown: anything else may be part of a secret. */
function shown(char: string): string {
  return /[{}[\],:"]/.test(char) ? `"${char}"` : 'something';
}
