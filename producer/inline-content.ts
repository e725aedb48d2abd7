/**
 * A body that came inside JSON, as a value or as base64, made into the content that travels. Pure.
 * A body above the inline limit is refused with its size; nothing is cut.
 */
import { type Content, isJson, MAX_INLINE_BYTES } from '../shared/task/content.ts';
import type { JsonText } from './json/json-text.ts';
import type { Refusal } from './refusal.ts';
import { utf8Bytes } from './task-size.ts';

export interface InlineBody {
  readonly value?: JsonText | undefined;
  readonly base64?: string | undefined;
  readonly contentType?: string | undefined;
}

/** JSON pointers of the fields that `InlineBody` was read from. */
export interface InlineFields {
  readonly value: string;
  readonly base64: string;
}

export type InlineContent =
  | { readonly ok: true; readonly content: Content | undefined }
  | { readonly ok: false; readonly refusal: Refusal };

export function inlineContent({ value, base64, contentType }: InlineBody, fields: InlineFields): InlineContent {
  if (base64 !== undefined) {
    if (value !== undefined) return invalid(fields.base64, `cannot stand beside ${fields.value}; send one of them`);
    return sized({ type: contentType ?? 'application/octet-stream', encoding: 'base64', text: base64 }, fields.base64);
  }
  if (value === undefined) return { ok: true, content: undefined };
  const type = contentType ?? 'application/json';
  if (isJson(type)) return sized({ type, encoding: 'json', text: value.text }, fields.value);
  const text: unknown = JSON.parse(value.text);
  if (typeof text === 'string') return sized({ type, encoding: 'text', text }, fields.value);
  return invalid(fields.value, `must be a string when the content type is ${type}; send ${fields.base64} for bytes`);
}

function sized(content: Content, field: string): InlineContent {
  const bytes = byteLength(content);
  if (bytes <= MAX_INLINE_BYTES) return { ok: true, content };
  const detail = `${field} has ${bytes} bytes; the limit is ${MAX_INLINE_BYTES}. Store larger data elsewhere and send its address.`;
  return { ok: false, refusal: { code: 'body-too-large', details: { detail } } };
}

function byteLength({ encoding, text }: Content): number {
  if (encoding === 'base64') return (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);
  // A UTF-16 unit is three bytes at most: most bodies need no counting.
  return text.length * 3 <= MAX_INLINE_BYTES ? text.length : utf8Bytes(text);
}

function invalid(field: string, reason: string): InlineContent {
  const details = { detail: `${field}: ${reason}`, errors: [{ field, reason }] };
  return { ok: false, refusal: { code: 'invalid-request', details } };
}
