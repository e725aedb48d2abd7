/**
 * How an answer's body is packed (`Content-Encoding`), and whether it can be looked into. The runtime
 * undoes `gzip` and `br` while a body is read, where exactly that is said: no list, no other spelling
 * (seen in workerd; the compatibility flag `brotli_content_encoding` is on since 2024-04-29). Pure.
 */

/** What calls ask for. */
export const ACCEPTED_ENCODINGS = 'gzip, br';

const UNDONE_BY_RUNTIME = new Set(['gzip', 'br']);

/** True when the body is read as it was before it was packed, and has another length than was said. */
export function isUnpackedOnReading(headers: Headers): boolean {
  return UNDONE_BY_RUNTIME.has(packingOf(headers));
}

/** True for an answer without a body, whatever it says of packing: the runtime fails to unpack nothing. */
export function hasNoBytes(headers: Headers): boolean {
  return headers.get('content-length') === '0';
}

/** What the body is packed in when it cannot be looked into, in the backend's own words. */
export function opaquePackingOf(headers: Headers): string | undefined {
  const packing = packingOf(headers);
  const isPlain = packing.split(',').every((coding) => /^\s*(?:identity)?\s*$/i.test(coding));
  return isPlain || UNDONE_BY_RUNTIME.has(packing) ? undefined : packing;
}

function packingOf(headers: Headers): string {
  return (headers.get('content-encoding') ?? '').trim();
}

/** How packed files begin; nothing that is text does. */
const MAGIC: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  // Of zlib's four second bytes the one of levels 2 to 5 is a `^`.
  ['deflate', [0x78, 0x01]],
  ['deflate', [0x78, 0x9c]],
  ['deflate', [0x78, 0xda]],
  ['compress', [0x1f, 0x9d]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
];

/** So many bytes of a body tell whether it is packed. */
export const TELLING_BYTES = 64;

/**
 * What a body that is said to be text is packed in without a word about it, by how it begins. Brotli and bare deflate
 * begin in no way of their own: what is said to be JSON or XML and begins with what neither can hold is `unknown`.
 */
export function unsaidPackingOf(type: string | null, body: Uint8Array): string | undefined {
  if (!isSaidToBeText(type)) return undefined;
  const name = MAGIC.find(([, bytes]) => bytes.every((byte, index) => body[index] === byte))?.[0];
  return name ?? (isSaidToBeMarkup(type) && !isMarkup(body.subarray(0, TELLING_BYTES)) ? 'unknown' : undefined);
}

/** Whether more of the body is needed for `unsaidPackingOf` to tell. */
export function isPackingOpen(type: string | null, head: Uint8Array): boolean {
  if (!isSaidToBeText(type)) return false;
  if (isSaidToBeMarkup(type) && head.length < TELLING_BYTES) return true;
  return MAGIC.some(([, bytes]) => head.length < bytes.length && head.every((byte, index) => bytes[index] === byte));
}

const MEDIA_TYPE = /^\s*[\w!#$&^.+-]+\/[\w!#$&^.+-]+\s*(?:;|$)/;

const TEXT =
  /^\s*(?:text\/|multipart\/|[\w-]+\/[\w.-]+\+(?:json|xml|yaml)\b|application\/(?:x-)?(?:json|xml|ndjson|jsonl|jsonlines|json-seq|javascript|ecmascript|typescript|www-form-urlencoded|yaml|toml|graphql|sql|csv|jwt)\b)/i;

/** What names no type is what a program forgot to name, and not a file. */
function isSaidToBeText(type: string | null): boolean {
  return type === null || TEXT.test(type) || !MEDIA_TYPE.test(type);
}

/** JSON and XML: neither holds control characters (RFC 8259, section 7; XML 1.0, section 2.2). */
const MARKUP = /^\s*(?:[\w-]+\/(?:[\w.-]+\+)?(?:json|xml))\b/i;

function isSaidToBeMarkup(type: string | null): boolean {
  return type !== null && MARKUP.test(type);
}

/** The zeros of wide encodings, and the marks by which they begin, aside. */
function isMarkup(head: Uint8Array): boolean {
  if (!head.every((byte) => byte >= 0x20 || byte === 0 || (byte >= 0x09 && byte <= 0x0d))) return false;
  const first = head[0] ?? 0;
  return first < 0x80 || first >= 0xfe || isUtf8(head);
}

function isUtf8(head: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}
