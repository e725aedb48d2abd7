/**
 * Reads a backend's answer up to the inline limit, counted after unpacking. A result that is larger is handed on
 * as a stream where it can be kept; nothing else is read to its end. What there is of it is kept: an error speaks by
 * its status, and its beginning tells why.
 */
import { joinBytes } from '../../../shared/bytes.ts';
import { continued } from '../../../shared/sync/bounded-read.ts';
import { hasNoBytes, isUnpackedOnReading, opaquePackingOf, unsaidPackingOf } from '../../../shared/sync/packing.ts';
import { type Content, contentFromBytes, MAX_INLINE_BYTES } from '../../../shared/task/content.ts';

export type ReadBody =
  | { readonly kind: 'whole'; readonly content: Content | undefined }
  /** Larger than the limit, or broken off: its beginning. */
  | { readonly kind: 'cut'; readonly content: Content | undefined; readonly why: 'too-large' | 'broken' }
  /** A result that is larger than the limit: its beginning, and a stream of all of it, which must be read or cancelled. */
  | {
      readonly kind: 'large';
      readonly content: Content | undefined;
      readonly type: string;
      readonly stream: ReadableStream<Uint8Array>;
    }
  /** Packed in a way that nobody here undoes. */
  | { readonly kind: 'opaque'; readonly packing: string };

const DEFAULT_TYPE = 'application/octet-stream';

/**
 * @param keepsLarge whether there is a place for large results
 * @throws what a body that breaks off throws, where it is a result: an error's beginning will do
 */
export async function readBody(response: Response, keepsLarge: boolean): Promise<ReadBody> {
  const { status, headers } = response;
  const isResult = status >= 200 && status < 300;
  const length = headers.get('content-length');
  const isPacked = headers.has('content-encoding');
  let start: Start;
  // With a known length within the limit there is nothing to guard against. Nearly every answer is like this, and a look at
  // `body` makes a stream, which costs more than to read so few bytes.
  if (isResult && status !== 202 && !isPacked && length !== null && Number(length) <= MAX_INLINE_BYTES) {
    start = { bytes: new Uint8Array(await response.arrayBuffer()), cut: undefined };
  } else {
    const { body } = response;
    // Of a 202 the backend works on: whatever it says is not the result.
    if (body === null || status === 202 || hasNoBytes(headers)) {
      await body?.cancel();
      return { kind: 'whole', content: undefined };
    }
    const packing = opaquePackingOf(headers);
    if (packing !== undefined) {
      await body.cancel();
      return { kind: 'opaque', packing };
    }
    const isLengthKnown = length !== null && !isUnpackedOnReading(headers);
    if (isLengthKnown && Number(length) > MAX_INLINE_BYTES && isResult && !keepsLarge) {
      await body.cancel();
      return { kind: 'cut', content: undefined, why: 'too-large' };
    }
    start = await readStart(body as ReadableStream<Uint8Array>, isResult, isResult && keepsLarge);
  }
  const { bytes, cut, stream } = start;
  const type = headers.get('content-type');
  const unsaid = unsaidPackingOf(type, bytes);
  if (unsaid !== undefined) {
    await stream?.cancel();
    return { kind: 'opaque', packing: unsaid };
  }
  const kept = cut === undefined ? bytes : withoutBrokenCharacter(bytes);
  const content = kept.length === 0 ? undefined : contentFromBytes(type ?? DEFAULT_TYPE, kept);
  if (stream !== undefined) return { kind: 'large', content, type: type ?? DEFAULT_TYPE, stream };
  return cut === undefined ? { kind: 'whole', content } : { kind: 'cut', content, why: cut };
}

interface Start {
  readonly bytes: Uint8Array;
  readonly cut: 'too-large' | 'broken' | undefined;
  /** All of it, where more than the start is wanted. */
  readonly stream?: ReadableStream<Uint8Array>;
}

async function readStart(body: ReadableStream<Uint8Array>, mustBeWhole: boolean, wantsAll: boolean): Promise<Start> {
  const reader = body.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  let cut: Start['cut'];
  try {
    while (cut === undefined) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      length += value.length;
      if (length > MAX_INLINE_BYTES) cut = 'too-large';
    }
  } catch (error) {
    if (mustBeWhole) throw error;
    cut = 'broken';
  }
  const bytes = joinBytes(chunks, Math.min(length, MAX_INLINE_BYTES));
  if (cut !== 'too-large') return { bytes, cut };
  if (wantsAll) return { bytes, cut, stream: continued(chunks, reader) };
  await reader.cancel();
  return { bytes, cut };
}

/** The cut may have gone through a character of UTF-8: at most four bytes from its first. */
function withoutBrokenCharacter(bytes: Uint8Array): Uint8Array {
  for (let back = 1; back <= Math.min(4, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte >= 0xc0) {
      const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < needs ? bytes.subarray(0, bytes.length - back) : bytes;
    }
    if (byte < 0x80) return bytes;
  }
  return bytes;
}
