/**
 * A request or response body as it travels through JSON messages and database rows: JSON as itself,
 * text as text, anything else as base64.
 */

import * as z from 'zod';
import { bytesFromBase64 } from '../bytes.ts';
import { parsedJson } from '../json-text.ts';

/**
 * The largest body that travels inline. Queues bill by 64 KB, so only the largest bodies cost a second operation. More than
 * this has no room: a third larger in base64, with all else that a task says, it fits into a message of 128,000 bytes.
 */
export const MAX_INLINE_BYTES = 64 * 1024;

/** As people read it. */
export const INLINE_LIMIT = `${MAX_INLINE_BYTES / 1024} KB`;

export const ContentSchema = z.object({
  /** The media type, as sent. */
  type: z.string(),
  encoding: z.enum(['json', 'text', 'base64']),
  /** The body: JSON text, plain text, or base64. */
  text: z.string(),
});
export type Content = z.infer<typeof ContentSchema>;

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The content of `bytes` under media type `type`; text that is not UTF-8 is kept as base64. */
export function contentFromBytes(type: string, bytes: Uint8Array): Content {
  const isJsonType = isJson(type);
  if (isJsonType || isText(type)) {
    try {
      const text = strictUtf8.decode(bytes);
      return { type, encoding: isJsonType && isJsonText(text) ? 'json' : 'text', text };
    } catch {
      // Not UTF-8: fall through and keep the bytes as they are.
    }
  }
  return { type, encoding: 'base64', text: base64FromBytes(bytes) };
}

export function bytesFromContent(content: Content): Uint8Array<ArrayBuffer> {
  return content.encoding === 'base64' ? bytesFromBase64(content.text) : new Uint8Array(encoder.encode(content.text));
}

export function isJson(type: string): boolean {
  return /^application\/(?:[\w.+-]+\+)?json\b/i.test(type);
}

function isText(type: string): boolean {
  return /^text\//i.test(type) || /^application\/(?:xml|x-www-form-urlencoded|[\w.+-]+\+xml)\b/i.test(type);
}

export function isJsonText(text: string): boolean {
  return parsedJson(text) !== undefined;
}

export function base64FromBytes(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  }
  return btoa(binary);
}
