/** Bytes: put together, read from base64, counted. Pure. */

const encoder = new TextEncoder();

/** Nearly all JSON is; looking costs less than encoding. */
const PRINTABLE_ASCII = /^[ -~]*$/;

/** How many bytes a text has in UTF-8. */
export function utf8Bytes(text: string): number {
  return PRINTABLE_ASCII.test(text) ? text.length : encoder.encode(text).byteLength;
}

/** @param length of the whole; what is beyond it is left out */
export function joinBytes(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    const part = chunk.length > length - at ? chunk.subarray(0, length - at) : chunk;
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** @param text in base64, with padding @throws InvalidCharacterError */
export function bytesFromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index++) bytes[index] = binary.charCodeAt(index);
  return bytes;
}
