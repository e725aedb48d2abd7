/**
 * JSON that goes through as it was written: numbers of any size, order, duplicates and white space
 * inside stay what they are, byte for byte. What parsing is for (is it JSON, how deep is it) is done
 * once; the value itself is read by nobody.
 */
import { elementTexts, faultPosition, memberText } from './scan.ts';

/** A value in its own spelling. */
export class JsonText {
  readonly text: string;

  /** @param text valid JSON without white space around it */
  constructor(text: string) {
    this.text = text;
  }

  /** Text that is written where nobody expects it would go out quoted. */
  toJSON(): never {
    throw new Error('a JSON text stands where none is written verbatim');
  }
}

/** Steps from the document to a value: names of members, which need no escapes, `*` for each element of an array. */
export type JsonPath = readonly string[];

export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly fault: string };

/** The document's value, in which what stands at `verbatim` is a `JsonText`. */
export function parseJson(text: string, verbatim: readonly JsonPath[] = []): ParsedJson {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, fault: faultOf(text) };
  }
  for (const path of verbatim) value = keepText(value, text, path);
  return { ok: true, value };
}

/**
 * Writes a value as JSON, and what stands at `verbatim` as it is, after the other members: all else the runtime writes in
 * one go, and nobody looks through it.
 */
export function stringifyJson(value: unknown, verbatim: readonly JsonPath[]): string {
  if (value instanceof JsonText) return value.text;
  if (verbatim.length === 0 || typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) {
    const paths = pathsBelow(verbatim, '*');
    return `[${value.map((each) => stringifyJson(each, paths)).join(',')}]`;
  }
  const others: Record<string, unknown> = { ...value };
  let texts = '';
  for (const [step] of verbatim) {
    if (step === undefined || others[step] === undefined) continue;
    texts += `,"${step}":${stringifyJson(others[step], pathsBelow(verbatim, step))}`;
    others[step] = undefined;
  }
  const written = JSON.stringify(others).slice(0, -1);
  return written === '{' ? `{${texts.slice(1)}}` : `${written}${texts}}`;
}

function pathsBelow(paths: readonly JsonPath[], step: string): JsonPath[] {
  return paths.filter(([first]) => first === step).map(([, ...rest]) => rest);
}

/** Changes `value`, which nobody else has seen. */
function keepText(value: unknown, text: string, [step, ...rest]: JsonPath): unknown {
  if (step === undefined) return new JsonText(text);
  if (Array.isArray(value)) {
    if (step !== '*') return value;
    const texts = elementTexts(text);
    return value.map((element, index) => keepText(element, texts[index] ?? 'null', rest));
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return value;
  const members = value as Record<string, unknown>;
  const member = memberText(text, step);
  if (member !== undefined) members[step] = keepText(members[step], member, rest);
  return value;
}

function faultOf(text: string): string {
  if (text.trim() === '') return 'The body is empty; send a JSON object.';
  const position = faultPosition(text) ?? text.length;
  const before = text.slice(0, position).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  const word = /^[\w.+-]{1,20}/.exec(text.slice(position))?.[0];
  const what = position >= text.length ? 'it ends too soon, at' : `it breaks${wordNote(word)} at`;
  return `The body is not valid JSON: ${what} line ${before.length}, column ${column}.`;
}

/** Only words that languages write for numbers are shown: anything else may be a secret. */
function wordNote(word: string | undefined): string {
  return word !== undefined && /^(?:[+-]?(?:NaN|Infinity|inf|nan)|undefined|None|True|False)$/.test(word)
    ? ` with ${word}, which JSON does not know,`
    : '';
}
