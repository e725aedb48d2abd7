/** Reads a text of JSON that is base64, with its quotes, piece by piece. Deterministic; what it throws is for the sender. */
import { bytesFromBase64 } from '../../shared/bytes.ts';
import { JsonFault } from './split.ts';

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

export async function* base64Bytes(
  pieces: AsyncIterable<Uint8Array>,
  field: string,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const fault = () => new JsonFault(`/${field}: is not base64.`);
  let carried = '';
  let isFirst = true;
  let isPadded = false;
  for await (const piece of pieces) {
    let text = carried + latin1(piece);
    if (isFirst && !text.startsWith('"')) throw fault();
    text = isFirst ? text.slice(1) : text;
    isFirst = false;
    // Some programs escape slashes. A backslash at the end waits for what it escapes.
    const isSplit = text.endsWith('\\');
    const plain = (isSplit ? text.slice(0, -1) : text).replaceAll('\\/', '/').replace(/"$/, '');
    const usable = plain.length - (plain.length % 4);
    const block = plain.slice(0, usable);
    if (!BASE64.test(block) || (isPadded && block !== '')) throw fault();
    isPadded ||= block.endsWith('=');
    carried = plain.slice(usable) + (isSplit ? '\\' : '');
    if (block !== '') yield bytesFromBase64(block);
  }
  if (carried !== '') throw fault();
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return text;
}
