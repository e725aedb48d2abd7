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
}

/** Steps from the document to a value: names of members, `*` for each element of an array. */
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

/** Writes a value as JSON; a `JsonText` in it as it is. Members that hold none the runtime writes in one go, before the others. */
export function stringifyJson(value: unknown): string {
  return textOf(value) ?? JSON.stringify(value) ?? 'null';
}

/** Undefined where the value holds no `JsonText`. */
function textOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (value instanceof JsonText) return value.text;
  if (Array.isArray(value)) {
    return value.some((each) => textOf(each) !== undefined) ? `[${value.map(stringifyJson).join(',')}]` : undefined;
  }
  const members = value as Record<string, unknown>;
  let others: Record<string, unknown> | undefined;
  let texts = '';
  for (const name in members) {
    const text = textOf(members[name]);
    if (text === undefined) continue;
    others ??= { ...members };
    others[name] = undefined;
    texts += `,${JSON.stringify(name)}:${text}`;
  }
  if (others === undefined) return undefined;
  const written = JSON.stringify(others).slice(0, -1);
  return written === '{' ? `{${texts.slice(1)}}` : `${written}${texts}}`;
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
