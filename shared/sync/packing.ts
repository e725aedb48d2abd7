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

/** How files of gzip and Zstandard begin; nothing that is text does. */
const MAGIC: readonly (readonly [name: string, bytes: readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

/**
 * What a body that is said to be text is packed in without a word about it, by how it begins.
 */
export function unsaidPackingOf(type: string | null, head: Uint8Array): string | undefined {
  if (!isSaidToBeText(type)) return undefined;
  return MAGIC.find(([, bytes]) => bytes.every((byte, index) => head[index] === byte))?.[0];
}

/** Whether more of the body is needed for `unsaidPackingOf` to tell. */
export function isPackingOpen(type: string | null, head: Uint8Array): boolean {
  return (
    isSaidToBeText(type) &&
    MAGIC.some(([, bytes]) => head.length < bytes.length && head.every((byte, index) => bytes[index] === byte))
  );
}

function isSaidToBeText(type: string | null): boolean {
  return type === null || /^\s*(?:text\/|application\/(?:[\w.+-]+\+)?(?:json|xml)\b|application\/x-ndjson)/i.test(type);
}
