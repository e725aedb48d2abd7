/**
 * A body that came inside JSON, as a value or as base64, made into the content that travels. Pure.
 * A body above the limit is refused with its size; nothing is cut.
 */

import { utf8Bytes } from '../../shared/bytes.ts';
import { type Content, isJson, MAX_INLINE_BYTES } from '../../shared/task/content.ts';
import { MAX_JSON_BODY_BYTES } from '../../shared/task/stored-body.ts';
import type { Refusal } from '../answer/refusal.ts';
import type { JsonText } from './json-text.ts';

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

/** What fits into a row, or what comes inside JSON where larger bodies have a place. */
export function bodyLimit(bodies: R2Bucket | undefined): number {
  return bodies === undefined ? MAX_INLINE_BYTES : MAX_JSON_BODY_BYTES;
}

export function inlineContent(
  { value, base64, contentType }: InlineBody,
  fields: InlineFields,
  maxBytes: number = MAX_INLINE_BYTES,
): InlineContent {
  const sized = (content: Content, field: string) => withinLimit(content, field, maxBytes);
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

function withinLimit(content: Content, field: string, maxBytes: number): InlineContent {
  const bytes = contentBytes(content);
  if (bytes <= maxBytes) return { ok: true, content };
  return { ok: false, refusal: tooLarge(`${field} has ${bytes} bytes`, maxBytes) };
}

/** @param what with its size */
export function tooLarge(what: string, maxBytes: number): Refusal {
  const instead =
    maxBytes > MAX_INLINE_BYTES
      ? 'Upload what is larger (POST /api/uploads).'
      : 'This deployment has no bucket for larger ones (r2_buckets in wrangler.toml): store them elsewhere and send the address.';
  return { code: 'body-too-large', details: { detail: `${what}; the limit is ${maxBytes}. ${instead}` } };
}

export function isInline(content: Content): boolean {
  return contentBytes(content) <= MAX_INLINE_BYTES;
}

function contentBytes({ encoding, text }: Content): number {
  if (encoding === 'base64') return (text.length / 4) * 3 - (text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0);
  // A UTF-16 unit is three bytes at most: most bodies need no counting.
  return text.length * 3 <= MAX_INLINE_BYTES ? text.length : utf8Bytes(text);
}

function invalid(field: string, reason: string): InlineContent {
  const details = { detail: `${field}: ${reason}`, errors: [{ field, reason }] };
  return { ok: false, refusal: { code: 'invalid-request', details } };
}
